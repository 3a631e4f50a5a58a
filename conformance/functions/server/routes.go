package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s\n", *version)
	})
	mux.HandleFunc("/state", state)
	mux.HandleFunc("/ws", webSocket)
	mux.HandleFunc("/sse", events)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/upload", upload)
	mux.HandleFunc("/duplex", duplex)
	mux.HandleFunc("/log", logLines)
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		if name := r.FormValue("header"); name != "" {
			w.Header().Set(name, r.FormValue("value"))
		}
		w.WriteHeader(number(r, "code", 200))
		fmt.Fprintln(w, r.FormValue("body"))
	})
	mux.HandleFunc("/break", func(w http.ResponseWriter, r *http.Request) {
		// Less than it promised.
		w.Header().Set("content-length", "1000")
		fmt.Fprint(w, "half")
		flush(w)
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/exit", func(w http.ResponseWriter, r *http.Request) { os.Exit(number(r, "code", 1)) })
	mux.HandleFunc("/burn", burn)
	mux.HandleFunc("/bomb", bomb)
	mux.HandleFunc("/connect", connect)
	mux.HandleFunc("/fetch", fetch)
	mux.HandleFunc("/file", file)
	mux.HandleFunc("/list", list)
	mux.HandleFunc("/invoke", invoke)
	mux.HandleFunc("/initialize", initialize)
	return mux
}

// Everything that it was given, as JSON.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	workingDir, _ := os.Getwd()
	hostname, _ := os.Hostname()
	answer(w, map[string]any{
		"version": *version, "method": r.Method, "url": r.URL.String(), "host": r.Host,
		"headers": r.Header, "remote": r.RemoteAddr, "body": string(body),
		"env": os.Environ(), "args": os.Args, "uid": os.Getuid(), "gid": os.Getgid(),
		"pid": os.Getpid(), "workingDir": workingDir, "hostname": hostname, "cgroup": cgroup(),
	})
}

func state(w http.ResponseWriter, r *http.Request) {
	answer(w, map[string]any{
		"version": *version, "started": started.UnixMilli(), "requests": requests.Load(),
		"inFlight": inFlight.Load(), "mostAtOnce": mostAtOnce.Load(),
		"initialized": initialized.Load(), "ticks": ticks.Load(),
	})
}

// ?n=5&every=10 (ms): Server-Sent Events, until the client is gone.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("content-type", "text/event-stream")
	w.Header().Set("cache-control", "no-cache")
	for at := range number(r, "n", 5) {
		fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", at, at)
		flush(w)
		select {
		case <-time.After(milliseconds(r, "every", 10)):
		case <-r.Context().Done():
			fmt.Println("the client of /sse is gone")
			return
		}
	}
}

// ?ms=100: answers after that time, and says where the client did not wait for it.
func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(milliseconds(r, "ms", 100)):
		fmt.Fprintf(w, "slow answer of %s\n", *version)
	case <-r.Context().Done():
		fmt.Println("the client of /slow is gone")
	}
}

// ?bytes=1000000&chunk=65536&every=0 (ms): bytes that follow from their place.
func stream(w http.ResponseWriter, r *http.Request) {
	size, chunk := number(r, "bytes", 1_000_000), number(r, "chunk", 65_536)
	w.Header().Set("content-type", "application/octet-stream")
	if r.FormValue("length") != "" {
		w.Header().Set("content-length", strconv.Itoa(size))
	}
	buffer := make([]byte, chunk)
	for sent := 0; sent < size; {
		next := min(chunk, size-sent)
		for i := range next {
			buffer[i] = byte((sent + i) % 251)
		}
		if _, err := w.Write(buffer[:next]); err != nil {
			fmt.Printf("the client of /stream is gone after %d\n", sent)
			return
		}
		sent += next
		if every := milliseconds(r, "every", 0); every > 0 {
			flush(w)
			time.Sleep(every)
		}
	}
}

// Reads it all; ?bytesPerSecond= slows the reading down.
func upload(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	buffer := make([]byte, 65_536)
	rate := number(r, "bytesPerSecond", 0)
	total := 0
	for {
		n, err := r.Body.Read(buffer)
		hash.Write(buffer[:n])
		total += n
		if rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Printf("the client of /upload is gone after %d\n", total)
			return
		}
	}
	answer(w, map[string]any{"bytes": total, "sha256": hex.EncodeToString(hash.Sum(nil))})
}

// Each piece of the body goes back as it comes.
func duplex(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	flush(w)
	buffer := make([]byte, 65_536)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 {
			_, _ = w.Write(buffer[:n])
			flush(w)
		}
		if err != nil {
			return
		}
	}
}

// ?text=…&n=1&stream=stderr
func logLines(w http.ResponseWriter, r *http.Request) {
	out := os.Stdout
	if r.FormValue("stream") == "stderr" {
		out = os.Stderr
	}
	for range number(r, "n", 1) {
		fmt.Fprintln(out, r.FormValue("text"))
	}
	fmt.Fprintln(w, "logged")
}

// ?to=host:port: whether a TCP connection is made, and what it says first.
func connect(w http.ResponseWriter, r *http.Request) {
	timeout := milliseconds(r, "timeout", 1_500)
	start := time.Now()
	connection, err := net.DialTimeout("tcp", r.FormValue("to"), timeout)
	result := map[string]any{"ms": time.Since(start).Milliseconds(), "connected": err == nil}
	if err != nil {
		result["error"] = err.Error()
	} else {
		connection.Close()
	}
	answer(w, result)
}

// ?url=…: what a GET gives; ?socket=/path: over a Unix socket.
func fetch(w http.ResponseWriter, r *http.Request) {
	client := &http.Client{Timeout: milliseconds(r, "timeout", 1_500)}
	if socket := r.FormValue("socket"); socket != "" {
		client.Transport = &http.Transport{Dial: func(string, string) (net.Conn, error) {
			return net.Dial("unix", socket)
		}}
	}
	response, err := client.Get(r.FormValue("url"))
	if err != nil {
		answer(w, map[string]any{"error": err.Error()})
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	answer(w, map[string]any{"status": response.StatusCode, "body": string(body)})
}

// ?path=…: GET reads, PUT writes, DELETE removes.
func file(w http.ResponseWriter, r *http.Request) {
	path := r.FormValue("path")
	var err error
	switch r.Method {
	case http.MethodPut:
		var body []byte
		if body, err = io.ReadAll(r.Body); err == nil {
			err = os.WriteFile(path, body, 0o644)
		}
	case http.MethodDelete:
		err = os.Remove(path)
	default:
		var bytes []byte
		if bytes, err = os.ReadFile(path); err == nil {
			_, _ = w.Write(bytes)
			return
		}
	}
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintln(w, err)
	}
}

func list(w http.ResponseWriter, r *http.Request) {
	entries, err := os.ReadDir(r.FormValue("path"))
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	result := map[string]any{"names": names}
	if err != nil {
		result["error"] = err.Error()
	}
	answer(w, result)
}

// Function Compute's two calls.
func invoke(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Printf("invoked with %s\n", body)
	if string(body) == "fail" {
		w.Header().Set("x-fc-status", "404")
	}
	answer(w, map[string]any{"invoked": string(body), "headers": r.Header, "initialized": initialized.Load()})
}

func initialize(w http.ResponseWriter, r *http.Request) {
	initialized.Add(1)
	fmt.Println("initialized")
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func number(r *http.Request, name string, otherwise int) int {
	if value, err := strconv.Atoi(r.FormValue(name)); err == nil {
		return value
	}
	return otherwise
}

func milliseconds(r *http.Request, name string, otherwise int) time.Duration {
	return time.Duration(number(r, name, otherwise)) * time.Millisecond
}
