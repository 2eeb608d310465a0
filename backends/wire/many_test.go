package wire_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/warmgate/warmgate/backends/wire"
)

// A client that nobody uses costs little memory and no goroutine: a city may have ten thousand.
func TestManyClientsCostLittle(t *testing.T) {
	const many = 10_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	goroutines, before := runtime.NumGoroutine(), heap()
	clients := make([]*wire.Client, many)
	for i := range clients {
		c, err := wire.New(wire.Config{Connector: "test", BaseURL: fmt.Sprintf("https://hotel-%d.example/pms", i)})
		if err != nil {
			t.Fatal(err)
		}
		clients[i] = c
	}
	each := (heap() - before) / many
	t.Logf("%d bytes a client", each)
	if each > 4<<10 {
		t.Errorf("%d bytes a client, at most 4 KiB", each)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 0 {
		t.Errorf("%d goroutines", n)
	}
	runtime.KeepAlive(clients)
}
