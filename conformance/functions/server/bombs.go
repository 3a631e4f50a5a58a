package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// ?ms=1000&threads=1: CPU time.
func burn(w http.ResponseWriter, r *http.Request) {
	until := time.Now().Add(milliseconds(r, "ms", 1_000))
	done := make(chan int)
	threads := number(r, "threads", 1)
	for range threads {
		go func() {
			sum := 0
			for time.Now().Before(until) {
				for i := range 10_000 {
					sum += i
				}
			}
			done <- sum
		}()
	}
	for range threads {
		<-done
	}
	fmt.Fprintln(w, "burnt")
}

var hoard [][]byte

// ?kind=memory|disk|fork&mb=…: takes until it is stopped, or has that much.
func bomb(w http.ResponseWriter, r *http.Request) {
	most := number(r, "mb", 1<<20)
	switch r.FormValue("kind") {
	case "memory":
		for range most {
			piece := make([]byte, 1<<20)
			for i := 0; i < len(piece); i += 4096 {
				piece[i] = 1
			}
			hoard = append(hoard, piece)
		}
		fmt.Fprintf(w, "%d MB of memory\n", most)
	case "disk":
		path := r.FormValue("path")
		if path == "" {
			path = "/bomb"
		}
		out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			fmt.Fprintln(w, err)
			return
		}
		defer out.Close()
		piece := make([]byte, 1<<20)
		for at := range most {
			if _, err := out.Write(piece); err != nil {
				fmt.Fprintf(w, "after %d MB: %v\n", at, err)
				return
			}
		}
		fmt.Fprintf(w, "%d MB on the disk\n", most)
	case "fork":
		made := 0
		for ; made < most; made++ {
			child := exec.Command("/proc/self/exe", "sleep", "600s")
			if err := child.Start(); err != nil {
				fmt.Fprintf(w, "after %d: %v\n", made, err)
				return
			}
		}
		fmt.Fprintf(w, "%d processes\n", made)
	default:
		http.Error(w, "kind is memory, disk or fork", http.StatusBadRequest)
	}
}
