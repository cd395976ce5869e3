// The job with encoding/json and regexp: weblog COUNTRIES IN OUT, on one core.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

type event struct {
	Ts      string `json:"ts"`
	ID      string `json:"id"`
	Request struct {
		Method string  `json:"method"`
		Path   string  `json:"path"`
		Start  float64 `json:"start"`
		End    float64 `json:"end"`
	} `json:"request"`
	Response struct {
		Status int `json:"status"`
	} `json:"response"`
	Client struct {
		Country string `json:"country"`
		City    string `json:"city"`
	} `json:"client"`
}

type result struct {
	Time    string `json:"time"`
	Trace   string `json:"trace"`
	Method  string `json:"method"`
	Route   string `json:"route"`
	Status  int    `json:"status"`
	Ms      int64  `json:"ms"`
	Country string `json:"country"`
	City    string `json:"city"`
}

var (
	uuid   = regexp.MustCompile(`/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	number = regexp.MustCompile(`/[0-9]+\b`)
)

func route(path string) string {
	path, _, _ = strings.Cut(path, "?")
	path = strings.TrimRight(strings.ToLower(path), "/")
	path = number.ReplaceAllString(uuid.ReplaceAllString(path, "/:uuid"), "/:id")
	if path == "" {
		return "/"
	}
	return path
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	lowest, err := strconv.Atoi(os.Getenv("LOWEST_STATUS"))
	check(err)
	countries := map[string]string{}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &countries))
	in, err := os.Open(os.Args[2])
	check(err)
	out, err := os.Create(os.Args[3])
	check(err)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	buffered := bufio.NewWriterSize(out, 1<<16)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		var record event
		check(json.Unmarshal(lines.Bytes(), &record))
		if record.Response.Status < lowest {
			continue
		}
		country, known := countries[record.Client.Country]
		if !known {
			country = "Unknown"
		}
		check(encoder.Encode(result{
			record.Ts, record.ID, record.Request.Method, route(record.Request.Path),
			record.Response.Status,
			int64(math.RoundToEven((record.Request.End - record.Request.Start) * 1000)),
			country, record.Client.City,
		}))
	}
	check(lines.Err())
	check(buffered.Flush())
	check(out.Close())
}
