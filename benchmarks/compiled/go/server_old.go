//go:build !go1.21

package main

import "log"

func serve(*job, string) {
	log.Fatal("a server that reads and writes at the same time needs Go 1.21")
}
