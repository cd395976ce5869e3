//go:build !go1.21

package main

import (
	"bufio"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
)

// Before 1.21, net/http stops reading the body at the first write, so hijack the connection. This
// skips some of net/http's work, which if anything makes Go look faster.
func handle(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) == 0 || r.TransferEncoding[0] != "chunked" {
		http.Error(w, "the body must be chunked", http.StatusLengthRequired)
		return
	}
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	out := bufio.NewWriterSize(conn, 64<<10)
	io.WriteString(out, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"+
		"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunks := httputil.NewChunkedWriter(out)
	err = process(httputil.NewChunkedReader(buffered.Reader), chunks, out.Flush)
	if err != nil {
		log.Print(err)
		return
	}
	// Read the line end after the last chunk: closing with unread input would reset the connection.
	io.CopyN(io.Discard, buffered, 2)
	chunks.Close()
	io.WriteString(out, "\r\n")
	out.Flush()
}
