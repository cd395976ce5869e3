//go:build go1.21

package main

import (
	"log"
	"net/http"
)

func handle(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	if err := controller.EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := process(r.Body, w, controller.Flush); err != nil {
		log.Print(err)
		panic(http.ErrAbortHandler) // the client must see that the response was truncated
	}
}
