module proseform.dev/cluster/wait-for-name

go 1.24.0
