package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// RFC 6455, as far as echoing whole messages goes.
func webSocket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("upgrade"), "websocket") {
		http.Error(w, "this is for WebSockets", http.StatusUpgradeRequired)
		return
	}
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer connection.Close()
	sum := sha1.Sum([]byte(r.Header.Get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprint(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
	if protocol := r.Header.Get("sec-websocket-protocol"); protocol != "" {
		fmt.Fprintf(buffered, "Sec-WebSocket-Protocol: %s\r\n", strings.TrimSpace(strings.Split(protocol, ",")[0]))
	}
	fmt.Fprintf(buffered, "Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	_ = buffered.Flush()
	for {
		code, message, err := readFrame(buffered.Reader)
		if err != nil {
			fmt.Println("the client of /ws is gone")
			return
		}
		switch code {
		case 9: // ping
			code = 10
		case 10: // pong
			continue
		}
		writeFrame(buffered.Writer, code, message)
		if code == 8 { // close
			return
		}
	}
}

func readFrame(from *bufio.Reader) (byte, []byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(from, head); err != nil {
		return 0, nil, err
	}
	size := uint64(head[1] & 0x7f)
	if size >= 126 {
		extended := make([]byte, map[uint64]int{126: 2, 127: 8}[size])
		if _, err := io.ReadFull(from, extended); err != nil {
			return 0, nil, err
		}
		size = 0
		for _, one := range extended {
			size = size<<8 | uint64(one)
		}
	}
	if size > 64<<20 {
		return 0, nil, io.ErrShortBuffer
	}
	mask := make([]byte, 4)
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(from, mask); err != nil {
			return 0, nil, err
		}
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(from, message); err != nil {
		return 0, nil, err
	}
	for i := range message {
		message[i] ^= mask[i%4]
	}
	return head[0] & 0x0f, message, nil
}

func writeFrame(to *bufio.Writer, code byte, message []byte) {
	_ = to.WriteByte(0x80 | code)
	switch size := len(message); {
	case size < 126:
		_ = to.WriteByte(byte(size))
	case size < 1<<16:
		_ = to.WriteByte(126)
		_ = binary.Write(to, binary.BigEndian, uint16(size))
	default:
		_ = to.WriteByte(127)
		_ = binary.Write(to, binary.BigEndian, uint64(size))
	}
	_, _ = to.Write(message)
	_ = to.Flush()
}
