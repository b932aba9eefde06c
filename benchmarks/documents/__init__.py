"""Documents whose text is known, written by many programs, and how well a reader reads them.

    python -m benchmarks.documents write FOLDER        documents, and a JSON with its words beside each
    python -m benchmarks.documents measure FOLDER      tables by writer, layout and script, as docs/results/documents.md
        lexicon.toml     words of ten scripts; nobody real
        people.py        CVs of invented people, by a seed
        sheets.py        a document as a value, twelve layouts
        writers/         who writes it: browsers, office programs, typesetters, libraries
        planted.py       what cannot be read, and has to be refused
        words.py         what a word is, and how many came in order
        readers.py       this project's reader, and others by name
        scores.py  tables.py  measure.py

Writers that are not installed are named, with what installs them; fonts are Debian's fonts-noto-core and
fonts-noto-cjk. The same writers in the same versions write the same words in the same order.
"""
