// The job with encoding/json and regexp, from file to file or as a server.
package main

import (
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

type job struct {
	lowest    int
	countries map[string]string
}

// newJob reads the lowest status from the environment, and the countries from a file.
func newJob(path string) *job {
	lowest, err := strconv.Atoi(os.Getenv("LOWEST_STATUS"))
	check(err)
	text, err := os.ReadFile(path)
	check(err)
	found := &job{lowest: lowest}
	check(json.Unmarshal(text, &found.countries))
	return found
}

// process writes the result of a line, if it has one.
func (j *job) process(line []byte, encoder *json.Encoder) error {
	var record event
	if err := json.Unmarshal(line, &record); err != nil {
		return err
	}
	if record.Response.Status < j.lowest {
		return nil
	}
	country, known := j.countries[record.Client.Country]
	if !known {
		country = "Unknown"
	}
	return encoder.Encode(result{
		record.Ts, record.ID, record.Request.Method, route(record.Request.Path),
		record.Response.Status,
		int64(math.RoundToEven((record.Request.End - record.Request.Start) * 1000)),
		country, record.Client.City,
	})
}

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
