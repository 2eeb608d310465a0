package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is the real `warmgate serve` in front of a world. Its two sockets are this process's and outlive it, so it comes
// back at the same addresses.
type child struct {
	world      *world
	program    string
	api, admin *net.TCPListener
	process    *exec.Cmd
	ended      chan error
	log        *os.File
	patience   time.Duration // that it has to be ready
}

// started starts the program in front of a world.
func (r *run) started(w *world) (*child, error) {
	program, err := r.program()
	if err != nil {
		return nil, err
	}
	c, err := newChild(w, program)
	if err == nil {
		_, err = c.start()
	}
	return c, err
}

// newChild opens the sockets; nothing runs yet.
func newChild(w *world, program string) (*child, error) {
	c := &child{world: w, program: program, patience: 20 * time.Second}
	for _, l := range []**net.TCPListener{&c.api, &c.admin} {
		opened, err := listen()
		if err != nil {
			return nil, err
		}
		*l = opened.(*net.TCPListener)
	}
	var err error
	c.log, err = os.OpenFile(filepath.Join(w.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return c, err
}

// start starts the program and returns how long it took to be ready.
func (c *child) start() (time.Duration, error) {
	api, err := c.api.File()
	if err != nil {
		return 0, err
	}
	defer api.Close()
	admin, err := c.admin.File()
	if err != nil {
		return 0, err
	}
	defer admin.Close()
	c.process = exec.Command(c.program, //nolint:gosec // the program that this one has built
		"serve", "-c", filepath.Join(c.world.path("configs"), "gateway.yaml"),
		"--log-level", "warn", "--api-fd", "3", "--admin-fd", "4")
	c.process.ExtraFiles = []*os.File{api, admin}
	c.process.Stderr = c.log
	c.process.Env = os.Environ()
	for name, value := range c.world.env() {
		c.process.Env = append(c.process.Env, name+"="+value)
	}
	began := time.Now()
	if err := c.process.Start(); err != nil {
		return 0, err
	}
	c.ended = make(chan error, 1)
	go func(p *exec.Cmd, ended chan error) { ended <- p.Wait() }(c.process, c.ended)
	return c.ready(began)
}

// ready asks until the program says that it is ready.
func (c *child) ready(began time.Time) (time.Duration, error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for time.Since(began) < c.patience {
		res, err := client.Get("http://" + c.admin.Addr().String() + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(began), nil
			}
		}
		select {
		case err := <-c.ended:
			c.ended <- err
			return 0, fmt.Errorf("serve has ended: %w\n%s", err, c.lastWords())
		case <-time.After(time.Millisecond):
		}
	}
	return 0, fmt.Errorf("serve is not ready within %s\n%s", c.patience, c.lastWords())
}

// kill ends the program with SIGKILL.
func (c *child) kill() error {
	if err := c.process.Process.Kill(); err != nil {
		return err
	}
	killed := <-c.ended // says so
	c.process = nil
	if _, is := errors.AsType[*exec.ExitError](killed); !is {
		return fmt.Errorf("serve had ended before it was killed: %w", killed)
	}
	return nil
}

// stop ends the program in peace and closes the sockets.
func (c *child) stop() error {
	var err error
	if c.process != nil {
		err = c.process.Process.Signal(syscall.SIGTERM)
		select {
		case ended := <-c.ended:
			err = errors.Join(err, ended)
		case <-time.After(20 * time.Second):
			err = errors.Join(err, errors.New("serve does not stop within 20 s"), c.kill())
		}
		c.process = nil
	}
	return errors.Join(err, c.api.Close(), c.admin.Close(), c.log.Close())
}

// memory returns the process's resident set in MiB, as Linux counts it; 0 elsewhere.
func (c *child) memory() float64 { return c.status("VmRSS:") }

func (c *child) status(field string) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", c.process.Process.Pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if words := strings.Fields(s.Text()); len(words) >= 2 && words[0] == field {
			kib, _ := strconv.ParseFloat(words[1], 64)
			return kib / 1024
		}
	}
	return 0
}

// cpu returns the processor time that the process has used, as Linux counts it: hundredths of a second; 0 elsewhere.
func (c *child) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.process.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything
	words := strings.Fields(after)
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(words[11])
	system, _ := strconv.Atoi(words[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// lastWords returns the end of the program's log.
func (c *child) lastWords() string {
	f, err := os.Open(c.log.Name())
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(f)
	return string(text[max(0, len(text)-2000):])
}
