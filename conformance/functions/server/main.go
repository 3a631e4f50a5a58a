// A small HTTP server for images in tests: it tells what it was given and does, on request, what functions do.
// Each flag can be given by a variable, too: -start-delay is SERVER_START_DELAY.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	version    = flag.String("version", "1", "what / says")
	listen     = flag.String("listen", "any", "any, loopback or none")
	port       = flag.String("port", "", "PORT, else 80")
	startDelay = flag.Duration("start-delay", 0, "until it listens")
	exitAt     = flag.Duration("exit-after", 0, "ends by itself; 0: it does not")
	exitCode   = flag.Int("exit-code", 0, "of -exit-after, or at once where it is not 0")
	onTerm     = flag.String("on-term", "0s", "how long after SIGTERM it ends, or `never`")
	say        = flag.String("say", "", "a line for the log at its start")
)

// What /state tells.
var (
	started     = time.Now()
	requests    atomic.Int64
	inFlight    atomic.Int64
	mostAtOnce  atomic.Int64
	initialized atomic.Int64
	ticks       atomic.Int64
)

func main() {
	flag.VisitAll(func(f *flag.Flag) {
		name := "SERVER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok {
			if err := f.Value.Set(value); err != nil {
				fail(name, err)
			}
		}
	})
	flag.Parse()
	if flag.Arg(0) == "sleep" {
		// For `exec`, and as a container without a server.
		wait, _ := time.ParseDuration(flag.Arg(1))
		time.Sleep(wait)
		return
	}
	fmt.Printf("version %s starts as pid %d\n", *version, os.Getpid())
	if *say != "" {
		fmt.Println(*say)
	}
	if *exitCode != 0 && *exitAt == 0 {
		fmt.Fprintf(os.Stderr, "it ends with %d\n", *exitCode)
		os.Exit(*exitCode)
	}
	if *exitAt > 0 {
		time.AfterFunc(*exitAt, func() { os.Exit(*exitCode) })
	}
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			ticks.Add(1)
		}
	}()
	server := &http.Server{Handler: counted(routes())}
	go heedSignals(server)
	time.Sleep(*startDelay)
	if *listen == "none" {
		select {}
	}
	address := address()
	socket, err := net.Listen("tcp", address)
	if err != nil {
		fail("listen", err)
	}
	fmt.Printf("listens on %s\n", address)
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		fail("serve", err)
	}
	select {} // heedSignals ends it.
}

func address() string {
	chosen := *port
	if chosen == "" {
		chosen = os.Getenv("PORT")
	}
	if chosen == "" {
		chosen = "80"
	}
	if *listen == "loopback" {
		return "127.0.0.1:" + chosen
	}
	return ":" + chosen
}

func heedSignals(server *http.Server) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	for got := range signals {
		fmt.Printf("got %s\n", got)
		if *onTerm == "never" {
			continue
		}
		wait, err := time.ParseDuration(*onTerm)
		if err != nil {
			fail("on-term", err)
		}
		time.Sleep(wait)
		// What is in flight is answered first.
		_ = server.Shutdown(context.Background())
		fmt.Println("ends in order")
		os.Exit(0)
	}
}

func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		now := inFlight.Add(1)
		defer inFlight.Add(-1)
		for most := mostAtOnce.Load(); now > most; most = mostAtOnce.Load() {
			if mostAtOnce.CompareAndSwap(most, now) {
				break
			}
		}
		next.ServeHTTP(w, r)
	})
}

func cgroup() string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	return string(bytes.TrimSpace(text))
}

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(2)
}
