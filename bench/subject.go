package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// subject is a server that is measured: one process, or a family of them.
type subject struct {
	name    string
	address string
	admin   string // the gateway's second listener
	root    int    // its first process
	stop    func() error
}

// openSocket opens a socket that listens, for a program to take over.
func openSocket() (address string, socket *os.File, err error) {
	l, err := listen()
	if err != nil {
		return "", nil, err
	}
	defer l.Close()
	socket, err = l.(*net.TCPListener).File()
	return l.Addr().String(), socket, err
}

// startSubject starts a program that takes a socket that listens as descriptor 3.
func startSubject(r *run, name, program string, args ...string) (*subject, error) {
	address, socket, err := openSocket()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return launch(r, name, address, []*os.File{socket}, program, args...)
}

// launch starts a program and waits until its address takes a connection.
func launch(r *run, name, address string, extra []*os.File, program string, args ...string) (*subject, error) {
	said, err := os.Create(filepath.Join(r.dir, slug(name)+".log"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	process := exec.Command(program, args...) //nolint:gosec // a program of ours, or a peer's
	process.ExtraFiles, process.Stdout, process.Stderr = extra, said, said
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	s := &subject{name: name, address: address, root: process.Process.Pid, stop: func() error { return stopProcess(process, ended) }}
	if err := s.await(ended); err != nil {
		words, _ := os.ReadFile(said.Name())
		return nil, errors.Join(fmt.Errorf("%s does not come up: %w\n%s", name, err, words), s.stop())
	}
	return s, nil
}

// stopProcess ends a process in peace, or else at once.
func stopProcess(p *exec.Cmd, ended chan error) error {
	_ = p.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-ended: //nolint:errcheck // how it ends when it is told to is its own affair
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("a process does not stop within 10 s"), p.Process.Kill())
	}
}

// await tries to connect for ten seconds. A socket that was inherited takes connections before its process does.
func (s *subject) await(ended chan error) error {
	for end := time.Now().Add(10 * time.Second); ; {
		c, err := net.DialTimeout("tcp", s.address, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case gone := <-ended:
			ended <- gone
			return fmt.Errorf("it has ended: %w", errors.Join(gone, err))
		case <-time.After(5 * time.Millisecond):
			if time.Now().After(end) {
				return err
			}
		}
	}
}

// family returns a process and all that descend from it.
func family(root int) []int {
	parents := map[int]int{}
	all, err := os.ReadDir("/proc")
	if err != nil {
		return []int{root}
	}
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if words := statWords(pid); len(words) > 1 {
			parents[pid], _ = strconv.Atoi(words[1])
		}
	}
	found := []int{root}
	for i := 0; i < len(found); i++ {
		for pid, parent := range parents {
			if parent == found[i] && !slices.Contains(found, pid) {
				found = append(found, pid)
			}
		}
	}
	return found
}

// statWords returns the words of /proc/PID/stat behind the name, which may hold anything: the state, the parent, …
func statWords(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return strings.Fields(after)
}

// cpu returns the processor time, user and system, that the processes of the family have used. Linux counts it for each thread
// to the nanosecond; where it does not tell that, hundredths of a second. A thread that has ended has taken its time along,
// which is why what is measured keeps its threads. 0 elsewhere.
func (s *subject) cpu() time.Duration { return cpuOfAll(family(s.root)) }

func cpuOfAll(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		sum += cpuOfProcess(pid)
	}
	return sum
}

func cpuOfProcess(pid int) time.Duration {
	if sum := threadTimes(pid); sum > 0 {
		return sum
	}
	words := statWords(pid)
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(words[11])
	system, _ := strconv.Atoi(words[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// forgetPeak has peak begin anew, where Linux allows it. What a start takes is not what a load takes.
func (s *subject) forgetPeak() {
	for _, pid := range family(s.root) {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // not allowed: the most since the start
	}
}

// peak returns the most memory that was resident, in MiB, summed over the family; what they share counts for each.
func (s *subject) peak() (mib float64) {
	for _, pid := range family(s.root) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // ended meanwhile: nothing
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) >= 2 && words[0] == "VmHWM:" {
				kib, _ := strconv.ParseFloat(words[1], 64)
				mib += kib / 1024
			}
		}
	}
	return mib
}
