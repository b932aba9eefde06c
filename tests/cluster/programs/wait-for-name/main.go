// Waits until a name resolves: what the training operator's init container is for, in a static program.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: wait-for-name NAME")
		os.Exit(2)
	}
	for until := time.Now().Add(5 * time.Minute); time.Now().Before(until); time.Sleep(500 * time.Millisecond) {
		if found, err := net.LookupHost(os.Args[1]); err == nil {
			fmt.Println(os.Args[1], found)
			return
		}
	}
	fmt.Fprintln(os.Stderr, os.Args[1], "does not resolve")
	os.Exit(1)
}
