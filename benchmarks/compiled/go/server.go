//go:build go1.21

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
)

const (
	readSize  = 256 << 10
	flushSize = 32 << 10
)

// serve answers POST /weblog, reading and writing at the same time.
func serve(job *job, port string) {
	http.HandleFunc("/weblog", func(w http.ResponseWriter, r *http.Request) {
		controller := http.NewResponseController(w)
		check(controller.EnableFullDuplex())
		w.Header().Set("Content-Type", "application/x-ndjson")
		if err := job.stream(r.Body, w, controller.Flush); err != nil {
			log.Print(err)
			panic(http.ErrAbortHandler) // the client must see that the response was truncated
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}

// stream writes the results of lines in batches. It flushes them when no further line has arrived.
func (j *job) stream(body io.Reader, out io.Writer, flush func() error) error {
	lines := bufio.NewReaderSize(body, readSize)
	var batch bytes.Buffer
	encoder := json.NewEncoder(&batch)
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 && (err == nil || err == io.EOF) {
			if err := j.process(line, encoder); err != nil {
				return err
			}
		}
		if batch.Len() > 0 && (err != nil || batch.Len() >= flushSize || !hasLine(lines)) {
			if _, err := batch.WriteTo(out); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hasLine reports whether a line can be read without waiting.
func hasLine(lines *bufio.Reader) bool {
	waiting, _ := lines.Peek(lines.Buffered())
	return bytes.IndexByte(waiting, '\n') >= 0
}
