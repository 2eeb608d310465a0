// Package redistest runs real Redis servers for tests: children of the test on ports of their own, which keep nothing on
// disk and are killed, paused and started again at will.
package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startWithin = 10 * time.Second
	tries       = 5 // to find a port that nobody takes before the server does
	look        = 5 * time.Millisecond
)

// Server is one redis-server. Its methods end the test where they can't do what they say.
type Server struct {
	Address string // host:port

	t      testing.TB
	binary string
	args   []string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
	log    *bytes.Buffer // of the process that runs; read it when it is gone
}

// Start starts a server with further arguments, such as "--requirepass", "x", and kills it when the test ends. Where
// there is no redis-server the test fails; with -short it is left out.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, binary: find(t), args: args}
	t.Cleanup(s.Kill)
	for range tries {
		s.Address = freeAddress(t)
		if s.run() {
			return s
		}
	}
	t.Fatalf("redis-server does not start:\n%s", s.log)
	return nil
}

func find(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil && testing.Short() {
		t.Skip("LEFT OUT: there is no redis-server: .ci/setup installs it")
	}
	if err != nil {
		t.Fatal("there is no redis-server: .ci/setup installs it (apt-get install redis-server)")
	}
	return binary
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// run starts the process on its address and reports whether it answers.
func (s *Server) run() bool {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = &bytes.Buffer{}
	s.cmd = exec.Command(s.binary, append([]string{ //nolint:gosec // the server that was found, and what a test says
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", s.t.TempDir(), "--daemonize", "no"}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.SysProcAttr = s.log, s.log, attributes()
	return s.begin()
}

// begin starts the process and waits until it answers or ends.
func (s *Server) begin() bool {
	s.t.Helper()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed, as a rule
	}()
	tick, late := time.NewTicker(look), time.After(startWithin)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return false
		case <-late:
			s.Kill()
			return false
		case <-tick.C:
			if s.answers() {
				return true
			}
		}
	}
}

// answers reports whether somebody at the address speaks the protocol; a password is an answer as well.
func (s *Server) answers() bool {
	said, err := s.say("PING")
	return err == nil && (said == "+PONG" || strings.HasPrefix(said, "-NOAUTH"))
}

// say sends one line and returns the first of the answer.
func (s *Server) say(line string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
		return "", err
	}
	said, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(said), err
}

// Say sends one command as a line and returns the first line of the answer, as the protocol has it: "+OK", ":1", "-ERR …".
func (s *Server) Say(line string) string {
	s.t.Helper()
	said, err := s.say(line)
	if err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	return said
}

// Kill ends the process at once, paused or not.
func (s *Server) Kill() {
	if s.ended == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone
	<-s.ended
}

// Restart starts the server again on its address, with nothing in it. It must have been killed.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.run() {
		s.t.Fatalf("redis-server does not start again on %s:\n%s", s.Address, s.log)
	}
}

// Pause stops the process where it is: connections stay open, and nothing is answered.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Flush empties the server.
func (s *Server) Flush() {
	s.t.Helper()
	if said := s.Say("FLUSHALL"); said != "+OK" {
		s.t.Fatalf("FLUSHALL: %s", said)
	}
}

// StartCluster starts a cluster of one node that serves all slots.
func StartCluster(t testing.TB) *Server {
	t.Helper()
	s := Start(t, "--cluster-enabled", "yes")
	if said := s.Say("CLUSTER ADDSLOTSRANGE 0 16383"); said != "+OK" {
		t.Fatalf("CLUSTER ADDSLOTSRANGE: %s", said)
	}
	Await(t, "the cluster is up", func() bool { return s.Say("SET up 1") == "+OK" })
	return s
}

// StartSentinel starts a sentinel that watches the master under the name "master".
func StartSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	s := &Server{t: t, binary: find(t)}
	t.Cleanup(s.Kill)
	host, port, err := net.SplitHostPort(master.Address)
	if err != nil {
		t.Fatal(err)
	}
	for range tries {
		s.Address = freeAddress(t)
		_, own, err := net.SplitHostPort(s.Address)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor master %s %s 1\n", own, filepath.Dir(file), host, port)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.log = &bytes.Buffer{}
		s.cmd = exec.Command(s.binary, file, "--sentinel") //nolint:gosec // the server that was found, and a file of our own
		s.cmd.Stdout, s.cmd.Stderr, s.cmd.SysProcAttr = s.log, s.log, attributes()
		if s.begin() {
			return s
		}
	}
	t.Fatalf("the sentinel does not start:\n%s", s.log)
	return nil
}

// Await looks until ok, at most for ten seconds.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(look), time.After(startWithin)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("still not: %s", what)
		}
	}
}
