package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway/supervise"
)

// TestMain is also the children of the tests, where the first argument names one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if child, ok := children()[os.Args[1]]; ok {
			child()
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

func children() map[string]func() {
	return map[string]func(){
		"echo":     echo,
		"fail":     func() { os.Exit(3) },
		"deaf":     func() { signal.Ignore(syscall.SIGTERM); fmt.Println("deaf"); select {} },
		"guardian": guardian,
		"sleep":    func() { fmt.Println(os.Getpid()); select {} },
	}
}

// echo answers each connection on the socket that it inherited with its pid, until SIGTERM.
func echo() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ln, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		panic(err)
	}
	context.AfterFunc(ctx, func() { ln.Close() })
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		fmt.Fprintln(conn, os.Getpid())
		conn.Close()
	}
}

// guardian supervises a sleeper and then waits to be killed.
func guardian() {
	_, err := supervise.Start(supervise.Spec{Name: "sleep", Path: os.Args[0], Args: []string{"test", "sleep"}, Stdout: os.Stdout})
	if err != nil {
		panic(err)
	}
	select {}
}

func spec(t *testing.T, child string) supervise.Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return supervise.Spec{Name: child, Path: self, Args: []string{"test", child}, Stderr: os.Stderr}
}

// stop stops a child.
func stop(c *supervise.Child) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Stop(ctx)
}

// A child that is killed is started again on its socket within a second; connections made meanwhile wait for it.
func TestKilledChildComesBackOnItsSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	ln.Close()
	s := spec(t, "echo")
	s.Files = []*os.File{socket}
	started, ended := make(chan int, 16), make(chan error, 16)
	s.Started = func(pid int) { started <- pid }
	s.Ended = func(err error) { ended <- err }
	c, err := supervise.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() int {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	pid := <-started
	if got := ask(); got != pid || c.PID() != pid {
		t.Errorf("%d answers, PID says %d, started was %d", got, c.PID(), pid)
	}
	for range 3 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Error("a killed child ended well")
		}
		next := ask() // waits in the socket's queue
		if now := <-started; next != now || now == pid {
			t.Errorf("%d answers, %d was started after %d", next, now, pid)
		}
		pid = next
	}
	if err := stop(c); err != nil {
		t.Error(err)
	}
	if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || c.PID() != 0 {
		t.Error("the child is still there")
	}
	if err := stop(c); err != nil {
		t.Errorf("stopping again: %v", err)
	}
}

// A child that can't come up is tried again, but not as fast as the machine can.
func TestFailingChildIsNotStartedInALoop(t *testing.T) {
	s := spec(t, "fail")
	ended := make(chan error, 64)
	s.Ended = func(err error) { ended <- err }
	began := time.Now()
	c, err := supervise.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-ended; err == nil || err.Error() != "exit status 3" {
			t.Errorf("ended with %v", err)
		}
	}
	if took := time.Since(began); took < 450*time.Millisecond {
		t.Errorf("three lives in %s", took)
	}
	if err := stop(c); err != nil && !strings.Contains(err.Error(), "fail did not end well: exit status 3") {
		t.Error(err)
	}
}

func TestChildThatDoesNotEndIsKilled(t *testing.T) {
	s := spec(t, "deaf")
	out, in := io.Pipe()
	s.Stdout = in
	c, err := supervise.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "deaf\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	pid := c.PID()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		t.Error("the child is still there")
	}
}

func TestNoSuchProgram(t *testing.T) {
	_, err := supervise.Start(supervise.Spec{Name: "nobody", Path: "/nowhere/nobody", Args: []string{"nobody"}})
	if err == nil || !strings.Contains(err.Error(), "cannot start nobody: ") {
		t.Errorf("got %v", err)
	}
}
