package supervise_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// On Linux the kernel ends the children of a supervisor that was killed.
func TestChildrenDieWithTheirSupervisor(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	guard := exec.Command(self, "guardian")
	out, err := guard.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	line, err := reader.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, reader); err != nil { // both have let go of the pipe
		t.Fatal(err)
	}
	_ = guard.Wait()
	end := time.After(5 * time.Second)
	for alive(pid) {
		select {
		case <-end:
			t.Fatalf("process %d outlived its supervisor", pid)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// alive reports whether a process runs. One that has ended and that nobody has asked about doesn't.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}
