package cache

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, cfg Config) *Cache {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestKeepsTheValueItselfUntilItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		value := &struct{ n int }{7}
		c.Set("k", &Entry{Value: value, AsOf: time.Now(), Keep: time.Minute})
		time.Sleep(time.Minute - 1)
		if e, ok := c.Get("k"); !ok || e.Value != value {
			t.Fatalf("got %+v %v", e, ok)
		}
		time.Sleep(2)
		if _, ok := c.Get("k"); ok {
			t.Fatal("kept for too long")
		}
	})
}

func TestSetReplacesAndKeepsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		c.Set("k", &Entry{Value: 1, Keep: time.Second})
		time.Sleep(900 * time.Millisecond)
		c.Set("k", &Entry{Value: 2, Keep: time.Second})
		time.Sleep(900 * time.Millisecond)
		if e, ok := c.Get("k"); !ok || e.Value != 2 {
			t.Fatalf("got %+v %v", e, ok)
		}
		c.Set("k", &Entry{Value: 3})
		if _, ok := c.Get("k"); ok {
			t.Fatal("an entry that is not to be kept left the older one")
		}
		c.Set("k", &Entry{Value: 4, Keep: time.Second})
		c.Drop("k")
		if _, ok := c.Get("k"); ok {
			t.Fatal("a dropped entry is there")
		}
	})
}

func TestExpiredEntriesAreCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		for i := range 100 {
			c.Set(fmt.Sprint(i), &Entry{Value: i, Keep: time.Second})
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := c.Stats(); s.Entries != 0 || s.Bytes != 0 {
			t.Fatalf("nobody asked, and there are still %+v", s)
		}
	})
}

func TestWeightIsBounded(t *testing.T) {
	c := open(t, Config{MaxBytes: minMaxBytes})
	for i := range 1000 {
		c.Set(fmt.Sprintf("%04d", i), &Entry{Value: i, Keep: time.Hour, Size: 1000})
	}
	c.memory.CleanUp()
	one := int64(4 + 1000 + entryOverhead)
	s := c.Stats()
	if s.MaxBytes != minMaxBytes || s.Bytes > minMaxBytes || s.Bytes < minMaxBytes/2 || s.Bytes%one != 0 || int64(s.Entries)*one != s.Bytes {
		t.Fatalf("1000 entries of %d bytes: %+v", one, s)
	}
	c.Set("giant", &Entry{Value: 1, Keep: time.Hour, Size: 1 << 40})
	c.memory.CleanUp()
	if s := c.Stats(); s.Bytes > minMaxBytes {
		t.Fatalf("after a giant: %+v", s)
	}
}

func TestConfig(t *testing.T) {
	for bytes, want := range map[int64]string{
		1:       "max_bytes: must be at least 65536 (64 KiB), is 1",
		-1:      "max_bytes: must be at least 65536 (64 KiB), is -1",
		0:       "",
		1 << 20: "",
	} {
		c, err := New(Config{MaxBytes: bytes})
		if err == nil {
			c.Close()
		}
		if got := fmt.Sprint(err); want != "" && got != want || want == "" && err != nil {
			t.Errorf("%d: got %s, want %s", bytes, got, want)
		}
	}
	if s := open(t, Config{}).Stats(); s.MaxBytes != defaultMaxBytes {
		t.Errorf("the default is %d bytes", s.MaxBytes)
	}
}

// What was asked for before it was forgotten does not come back, however late it lands; what is asked for afterwards does.
func TestForgottenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		began := time.Now()
		c.Set("k", &Entry{Value: 1, AsOf: began, Keep: time.Hour})
		time.Sleep(time.Second)
		c.Forget("k")
		if _, ok := c.Get("k"); ok {
			t.Fatal("a forgotten entry is there")
		}
		time.Sleep(time.Second)
		c.Set("k", &Entry{Value: 2, AsOf: began.Add(time.Second), Keep: time.Hour})
		c.Set("k", &Entry{Value: 2, AsOf: began.Add(time.Minute), Asked: began.Add(time.Second), Keep: time.Hour}) // another's clock is ahead
		c.Drop("k")
		c.Set("k", &Entry{Value: 2, AsOf: began, Keep: time.Hour})
		if e, ok := c.Get("k"); ok {
			t.Fatalf("asked for before it was forgotten, and kept: %+v", e)
		}
		c.Set("k", &Entry{Value: 3, AsOf: began.Add(time.Second + 1), Keep: time.Hour})
		if e, ok := c.Get("k"); !ok || e.Value != 3 {
			t.Fatalf("asked for afterwards: %+v %v", e, ok)
		}
		c.Drop("k")
		c.Drop("never")
		if _, ok := c.Get("k"); ok {
			t.Fatal("a dropped entry is there")
		}
	})
}

func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		c.Set("old", &Entry{Value: 1, AsOf: time.Now(), Keep: time.Hour})
		old, _ := c.Get("old")
		if c.Doubted(old) {
			t.Error("doubted without a reason")
		}
		c.Doubt()
		time.Sleep(1)
		c.Set("new", &Entry{Value: 1, AsOf: old.AsOf, Keep: time.Hour})
		e, _ := c.Get("new")
		if !c.Doubted(old) || c.Doubted(e) {
			t.Errorf("the old one %t, the new one %t", c.Doubted(old), c.Doubted(e))
		}
	})
}
