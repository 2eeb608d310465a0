// Package sandboxtest runs the sandbox inside a test of the program, and asks it over real sockets.
package sandboxtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Up is what the sandbox prints, read as a stranger would.
type Up struct {
	API, Admin, City string
	PIDs             struct{ Serve, City int }
	Tokens           map[string]string
	Examples         map[string]struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
}

// Box is a running sandbox. Its methods end the test where they can't do what they say.
type Box struct {
	Up
	Cmd    *exec.Cmd
	Log    *Log // what it wrote on standard error
	Client *http.Client

	t     testing.TB
	lines chan string // of standard output, after the first
}

// New returns a box without a sandbox, to ask what was started by other means.
func New(t testing.TB) *Box {
	return &Box{t: t, Log: &Log{}, lines: make(chan string, 64), Client: &http.Client{Timeout: 10 * time.Second}, Up: Up{Tokens: map[string]string{}}}
}

// Log collects what processes write.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Command returns the test binary as warmgate: its TestMain has to be testscript.Main with a command of that name.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"warmgate"}, args...)}
}

// Start starts a sandbox on free ports and waits for its first line.
func Start(t testing.TB, args ...string) *Box {
	t.Helper()
	b := New(t)
	b.Cmd = Command(t, append([]string{"sandbox", "--json", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--city=127.0.0.1:0"}, args...)...)
	b.Cmd.Stderr = b.Log
	out, err := b.Cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(); b.Client.CloseIdleConnections() })
	go func() {
		defer close(b.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			b.lines <- in.Text()
		}
	}()
	if err := json.Unmarshal([]byte(b.Line()), &b.Up); err != nil {
		t.Fatalf("the first line is no JSON object: %v\n%s", err, b.Log)
	}
	return b
}

// Line waits for the next line of standard output.
func (b *Box) Line() string {
	b.t.Helper()
	select {
	case line, ok := <-b.lines:
		if !ok {
			b.t.Fatalf("the sandbox said no more:\n%s", b.Log)
		}
		return line
	case <-time.After(30 * time.Second):
		b.t.Fatalf("the sandbox says nothing:\n%s", b.Log)
	}
	return ""
}

// Stop ends the sandbox with SIGTERM and returns its exit code. It may be called again.
func (b *Box) Stop() int {
	b.t.Helper()
	if b.Cmd.ProcessState == nil {
		_ = b.Cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { // reads on, so that nothing written blocks the end
			for range b.lines {
			}
			_ = b.Cmd.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = b.Cmd.Process.Kill()
			b.t.Fatalf("the sandbox does not end:\n%s", b.Log)
		}
	}
	return b.Cmd.ProcessState.ExitCode()
}

// Do sends a request and returns the status and the body of its answer.
func (b *Box) Do(method, url string, headers map[string]string, body []byte) (int, string) {
	b.t.Helper()
	status, text, err := b.Try(method, url, headers, body)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.Log)
	}
	return status, text
}

// Try is Do for a request that may fail.
func (b *Box) Try(method, url string, headers map[string]string, body []byte) (int, string, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := b.Client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// Example sends an example as it stands.
func (b *Box) Example(name string) (int, string) {
	b.t.Helper()
	e, ok := b.Examples[name]
	if !ok {
		b.t.Fatalf("there is no example %s", name)
	}
	body := e.Body
	if string(body) == "null" { // it has none
		body = nil
	}
	return b.Do(e.Method, b.API+e.Path, e.Headers, body)
}

// Gone reports whether a process has ended, be it that nobody has asked about it yet.
func Gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// Await polls until ok, at most for the given time.
func Await(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(within)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after %s still not: %s", within, what)
		}
	}
}

// trafficPace is between two requests of one of the four clients: 1,000 a second in all, below the limits as shipped.
const trafficPace = 4 * time.Millisecond

// Traffic asks at a steady pace until stop is called, which returns how many requests there were and what went wrong.
func (b *Box) Traffic() (stop func() (int64, []string)) {
	var n atomic.Int64
	var mu sync.Mutex
	var bad []string
	end := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			pace := time.NewTicker(trafficPace)
			defer pace.Stop()
			for {
				select {
				case <-end:
					return
				case <-pace.C:
				}
				status, text, err := b.Try("GET", b.API+"/v1/attractions/west-lake/occupancy", map[string]string{"Authorization": "Bearer " + b.Tokens["reader"]}, nil)
				n.Add(1)
				if err != nil || status != 200 {
					mu.Lock()
					if len(bad) < 3 {
						bad = append(bad, fmt.Sprint(status, text, err))
					}
					mu.Unlock()
				}
			}
		})
	}
	return func() (int64, []string) { close(end); wg.Wait(); return n.Load(), bad }
}

// Process is a command that runs beside the test.
type Process struct {
	Log *Log

	t   testing.TB
	cmd *exec.Cmd
	out *bufio.Scanner
}

// Process starts a command with more environment; it is killed at the end of the test.
func (b *Box) Process(env []string, args ...string) *Process {
	b.t.Helper()
	p := &Process{t: b.t, cmd: Command(b.t, args...), Log: &Log{}}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), p.Log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

// Line waits for a line of standard output that begins with prefix and returns the rest of it.
func (p *Process) Line(prefix string) string {
	p.t.Helper()
	for p.out.Scan() {
		if rest, ok := strings.CutPrefix(p.out.Text(), prefix); ok {
			return rest
		}
	}
	p.t.Fatalf("no line begins with %q:\n%s", prefix, p.Log)
	return ""
}

// End ends it with SIGTERM, well.
func (p *Process) End() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%v: %s", err, p.Log)
	}
}
