// Package supervise keeps child processes running: it starts them, starts them again when they die, and stops them. It
// knows nothing of what they do.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	soon  = time.Second            // a child that lived shorter is started again only after a pause
	pause = 250 * time.Millisecond // so that one which cannot start doesn't take the machine
)

// Spec says what a child is.
type Spec struct {
	Name    string   // in errors
	Path    string   // of the executable
	Args    []string // the first is the program's own name
	Env     []string // all of its environment
	Files   []*os.File
	Stdout  io.Writer // nil: nowhere
	Stderr  io.Writer
	Started func(pid int)   // called whenever it has been started; may be nil
	Ended   func(err error) // called whenever it has ended, before it is started again; may be nil. Both from one goroutine
}

// Child is a process that is kept running. Safe for concurrent use.
type Child struct {
	spec    Spec
	stop    chan struct{}
	stopped sync.Once
	done    chan struct{}

	mu      sync.Mutex
	process *os.Process
	last    error // how it ended the last time
}

// Start starts a child and keeps it running until Stop: when it dies it is started again within a second, with the same
// files. Files are the child's descriptors from 3 on; sockets that listen stay open here, so that a connection made
// while the child is down waits for the next one. On Linux the child dies with this process. The first start's error is
// returned; later ones are tried again.
func Start(s Spec) (*Child, error) {
	c := &Child{spec: s, stop: make(chan struct{}), done: make(chan struct{})}
	first := make(chan error, 1)
	go c.keep(first)
	if err := <-first; err != nil {
		return nil, err
	}
	return c, nil
}

// keep holds its thread, since Linux takes the end of the thread that started a child for the parent's death.
func (c *Child) keep(first chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.done)
	for {
		began := time.Now()
		cmd, err := c.start()
		if first != nil {
			first <- err
			if err != nil {
				return
			}
			first = nil
		}
		if errors.Is(err, errStopping) {
			return
		}
		if err == nil {
			err = cmd.Wait()
		}
		c.ended(err)
		wait := time.Duration(0)
		if time.Since(began) < soon {
			wait = pause
		}
		select {
		case <-c.stop:
			return
		case <-time.After(wait):
		}
	}
}

var errStopping = errors.New("the child is being stopped")

// start starts the process once, unless the child is being stopped.
func (c *Child) start() (*exec.Cmd, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.stop:
		return nil, errStopping
	default:
	}
	cmd := &exec.Cmd{
		Path: c.spec.Path, Args: c.spec.Args, Env: c.spec.Env, ExtraFiles: c.spec.Files,
		Stdout: c.spec.Stdout, Stderr: c.spec.Stderr, SysProcAttr: attributes(),
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.spec.Name, err)
	}
	c.process = cmd.Process
	if c.spec.Started != nil {
		c.spec.Started(cmd.Process.Pid)
	}
	return cmd, nil
}

func (c *Child) ended(err error) {
	c.mu.Lock()
	c.process, c.last = nil, err
	c.mu.Unlock()
	if c.spec.Ended != nil {
		c.spec.Ended(err)
	}
}

// PID returns the process id; 0 while the child is down.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0
	}
	return c.process.Pid
}

// Stop asks the child to end (SIGTERM) and waits for it; when ctx ends first it is killed. The error says that it had to
// be, or that it did not end well; to die of the signal is to end well. It may be called again.
func (c *Child) Stop(ctx context.Context) error {
	c.stopped.Do(func() { close(c.stop) })
	ran := c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		if ran && c.last != nil && !terminated(c.last) {
			return fmt.Errorf("%s did not end well: %w", c.spec.Name, c.last)
		}
		return nil
	case <-ctx.Done():
		c.signal(syscall.SIGKILL)
		<-c.done
		return fmt.Errorf("%s did not end in time and was killed: %w", c.spec.Name, ctx.Err())
	}
}

// terminated reports whether a process died of SIGTERM itself: it had not come so far as to catch it.
func terminated(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

// signal reports whether there was a process to send it to.
func (c *Child) signal(s os.Signal) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process != nil && c.process.Signal(s) == nil
}
