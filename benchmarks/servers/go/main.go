// A Go server in idiomatic style: it unmarshals records and marshals results one by one with
// encoding/json, reads and writes in batches, and is full duplex.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

const (
	readSize  = 256 << 10
	flushSize = 32 << 10
)

type record struct {
	ID   string `json:"id"`
	Data string `json:"data"`
}

type result struct {
	ID     string `json:"id"`
	Result string `json:"result"`
	Status string `json:"status"`
}

// lineReader returns lines without copying them, except those longer than its buffer.
type lineReader struct {
	*bufio.Reader
	long []byte
}

// next returns the next line, valid until the next call. The last line needs no line end.
func (r *lineReader) next() ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	r.long = append(r.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		r.long = append(r.long, line...)
	}
	return r.long, err
}

// hasLine reports whether the next line is available without blocking.
func (r *lineReader) hasLine() bool {
	waiting, _ := r.Peek(r.Buffered())
	return bytes.IndexByte(waiting, '\n') >= 0
}

// process answers body with results on out, which flush sends.
func process(body io.Reader, out io.Writer, flush func() error) error {
	lines := &lineReader{Reader: bufio.NewReaderSize(body, readSize)}
	var batch bytes.Buffer
	encoder := json.NewEncoder(&batch) // reuses its buffer, unlike json.Marshal
	encoder.SetEscapeHTML(false)
	// Both are passed as interfaces: declared inside the loop, they would be allocated each time.
	var in record
	answer := result{Status: "success"}
	for {
		line, err := lines.next()
		if len(line) > 0 {
			in = record{}
			if json.Unmarshal(line, &in) == nil {
				answer.ID, answer.Result = in.ID, "processed_"+in.Data
				if err := encoder.Encode(&answer); err != nil {
					return err
				}
			}
		}
		if batch.Len() > 0 && (err != nil || batch.Len() >= flushSize || !lines.hasLine()) {
			if _, err := out.Write(batch.Bytes()); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
			batch.Reset()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func main() {
	port := flag.Int("port", 0, "TCP port on 127.0.0.1")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	http.HandleFunc("/streaming-process", handle)
	log.Fatal(http.Serve(listener, nil))
}
