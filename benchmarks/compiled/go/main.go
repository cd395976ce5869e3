package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
)

func main() {
	switch arguments := os.Args[1:]; {
	case len(arguments) == 3 && arguments[1] == "--port":
		serve(newJob(arguments[0]), arguments[2])
	case len(arguments) == 3:
		convert(newJob(arguments[0]), arguments[1], arguments[2])
	default:
		log.Fatal("usage: weblog COUNTRIES IN OUT | weblog COUNTRIES --port PORT")
	}
}

func convert(job *job, source, target string) {
	in, err := os.Open(source)
	check(err)
	out, err := os.Create(target)
	check(err)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	buffered := bufio.NewWriterSize(out, 1<<16)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		check(job.process(lines.Bytes(), encoder))
	}
	check(lines.Err())
	check(buffered.Flush())
	check(out.Close())
}
