package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// bare is the bare handler, a process of its own, and who asks it.
type bare struct {
	*raw
	process *exec.Cmd
}

func (b *bare) pid() int { return b.process.Process.Pid }

// newBare asks the gateway n times and starts a handler that answers all that it said, in turn.
func newBare(t *rooms, path func() string, n int) (*bare, error) {
	from, err := dialRaw(t.serve.api.Addr().String(), t.token)
	if err != nil {
		return nil, err
	}
	defer from.close()
	type given struct {
		Status int         `json:"status"`
		Header [][2]string `json:"header"`
		Body   []byte      `json:"body"`
	}
	all := make([]given, n)
	for i := range all {
		asked := path()
		for range 3 { // the third time it is as often as it likes
			if all[i].Status, all[i].Header, all[i].Body, err = from.read(asked); err != nil {
				return nil, err
			}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(t.dir, fmt.Sprintf("bare-%d.json", n))
	program := filepath.Join(t.dir, "bare")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	build := exec.CommandContext(t.run.ctx, "go", "build", "-trimpath", "-o", program, "github.com/warmgate/warmgate/bench/bare") //nolint:gosec // a path of our own making
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the bare handler: %w\n%s", err, text)
	}
	return startBare(program, file, t.token)
}

func startBare(program, file, token string) (*bare, error) {
	address, socket, err := openSocket()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	b := &bare{process: exec.Command(program, file)} //nolint:gosec // the program that this one has built
	b.process.ExtraFiles, b.process.Stderr = []*os.File{socket}, os.Stderr
	if err := b.process.Start(); err != nil {
		return nil, err
	}
	if b.raw, err = dialRaw(address, token); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bare) stop() {
	if b.raw != nil {
		b.close()
	}
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
}

// raw asks over one connection, and costs little.
type raw struct {
	conn  net.Conn
	in    *bufio.Reader
	out   []byte
	after string // of a request, behind its path
}

func dialRaw(address, token string) (*raw, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &raw{conn: c, in: bufio.NewReaderSize(c, 256<<10),
		after: " HTTP/1.1\r\nHost: " + address + "\r\nAccept-Language: en\r\nAuthorization: Bearer " + token + "\r\n\r\n"}, nil
}

func (c *raw) close() { _ = c.conn.Close() }

func (c *raw) send(path string) error {
	c.out = append(append(append(c.out[:0], "GET "...), path...), c.after...)
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err := c.conn.Write(c.out)
	return err
}

// get asks for a path, wants 200, and returns how long the answer's body is.
func (c *raw) get(path string) (int, error) {
	if err := c.send(path); err != nil {
		return 0, err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		switch {
		case err != nil:
			return 0, err
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")):
			return 0, fmt.Errorf("%s: %s", path, line)
		case len(line) == 2:
			if length < 0 {
				return 0, errors.New("an answer does not say how long it is")
			}
			return c.in.Discard(length)
		}
		if value, is := bytes.CutPrefix(line, []byte("Content-Length: ")); is {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
}

// read asks for a path and returns all of the answer, without what every server adds by itself.
func (c *raw) read(path string) (status int, header [][2]string, body []byte, err error) {
	if err := c.send(path); err != nil {
		return 0, nil, nil, err
	}
	in := textproto.NewReader(c.in)
	line, err := in.ReadLine()
	if err != nil {
		return 0, nil, nil, err
	}
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil || status != 200 {
		return 0, nil, nil, fmt.Errorf("%s: %s", path, line)
	}
	for {
		if line, err = in.ReadLine(); err != nil {
			return 0, nil, nil, err
		}
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "":
			_, err = io.ReadFull(c.in, body)
			return status, header, body, err
		case "Content-Length":
			n, err := strconv.Atoi(value)
			if err != nil {
				return 0, nil, nil, err
			}
			body = make([]byte, n)
		case "Date", "Connection":
		default:
			header = append(header, [2]string{name, value})
		}
	}
}

// threadTimes returns the processor time of a process's threads to the nanosecond, as Linux counts it; 0 elsewhere.
func threadTimes(pid int) time.Duration {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		on, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(on, 10, 64)
		sum += time.Duration(n)
	}
	return sum
}
