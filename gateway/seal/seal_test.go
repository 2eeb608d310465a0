package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedBytesOpenOnlyWithTheirBoxAndPlace(t *testing.T) {
	k := newKeys(t)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		aad := rapid.String().Draw(t, "aad")
		box, err := k.NewBox()
		if err != nil {
			t.Fatal(err)
		}
		sealed := box.Seal(plain, aad)
		again, err := k.OpenBox(box.Wrapped())
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Open(sealed, aad)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %x, %v; sealed %x", got, err, plain)
		}
		if _, err = again.Open(sealed, aad+"x"); !errors.Is(err, ErrUnreadable) {
			t.Fatalf("another place opened it: %v", err)
		}
		bent := bytes.Clone(sealed)
		bent[rapid.IntRange(0, len(bent)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err = again.Open(bent, aad); !errors.Is(err, ErrUnreadable) {
			t.Fatalf("altered bytes opened: %v", err)
		}
		other, _ := k.NewBox()
		if _, err = other.Open(sealed, aad); !errors.Is(err, ErrUnreadable) {
			t.Fatalf("another record's key opened it: %v", err)
		}
	})
}

func TestWrappedKeyRefusesEveryChangedByte(t *testing.T) {
	k := newKeys(t)
	box, err := k.NewBox()
	if err != nil {
		t.Fatal(err)
	}
	for i := range box.Wrapped() {
		bent := bytes.Clone(box.Wrapped())
		bent[i] ^= 0x10
		if _, err := k.OpenBox(bent); err == nil {
			t.Errorf("byte %d changed, and the key unwrapped", i)
		}
	}
	for _, n := range []int{1, 5, boxBytes - 1, boxBytes + 1} {
		if _, err := k.OpenBox(make([]byte, n)); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := k.OpenBox(nil); !errors.Is(err, ErrErased) {
		t.Errorf("a destroyed key: %v", err)
	}
	if _, err := newKeys(t).OpenBox(box.Wrapped()); !errors.Is(err, ErrUnreadable) {
		t.Errorf("another key file: %v", err)
	}
}

// The values of RFC 3394 §4.6: a 256-bit key wrapped by a 256-bit key.
func TestKeyWrapFollowsRFC3394(t *testing.T) {
	master, err := aes.NewCipher(unhex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"))
	if err != nil {
		t.Fatal(err)
	}
	key := [keyBytes]byte(unhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"))
	want := unhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
	wrapped := wrapKey(nil, master, key)
	if !bytes.Equal(wrapped, want) {
		t.Fatalf("wrapped %X, want %X", wrapped, want)
	}
	if got, ok := unwrapKey(master, wrapped); !ok || got != key {
		t.Fatalf("unwrapped %X, %v", got, ok)
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestHashSeparatesDomainsAndParts(t *testing.T) {
	k := newKeys(t)
	seen := map[[32]byte]string{}
	for _, c := range []struct {
		domain string
		parts  []string
	}{
		{"id", nil}, {"id", []string{""}}, {"id", []string{"", ""}}, {"id", []string{"ab"}}, {"id", []string{"a", "b"}},
		{"id", []string{"", "ab"}}, {"id", []string{"ab", ""}}, {"ida", []string{"b"}}, {"plate", []string{"ab"}}, {"", []string{"id", "ab"}},
	} {
		var parts [][]byte
		for _, p := range c.parts {
			parts = append(parts, []byte(p))
		}
		name := fmt.Sprintf("%q %q", c.domain, c.parts)
		sum := k.Hash(c.domain, parts...)
		if sum != k.Hash(c.domain, parts...) {
			t.Errorf("%s: two hashes of one value", name)
		}
		if was, ok := seen[sum]; ok {
			t.Errorf("%s and %s have one hash", name, was)
		}
		seen[sum] = name
	}
	if newKeys(t).Hash("id", []byte("ab")) == k.Hash("id", []byte("ab")) {
		t.Error("the hash does not depend on the key")
	}
}

func TestFileIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	const n = 8
	sums := make([][32]byte, n)
	var wg sync.WaitGroup
	for i := range n { // several processes may start at once: all must end with the same keys
		wg.Go(func() {
			k, err := OpenFile(path)
			if err != nil {
				t.Error(err)
				return
			}
			sums[i] = k.Hash("x")
		})
	}
	wg.Wait()
	for i := range sums {
		if sums[i] != sums[0] {
			t.Fatalf("opener %d has other keys", i)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	names, _ := os.ReadDir(filepath.Dir(path))
	if len(names) != 1 {
		t.Fatalf("left behind: %v", names)
	}
}

func TestFileRefusesWhatOthersMayTouch(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	if _, err := OpenFile(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o660, 0o644, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
	if _, err := OpenFile(dir); err == nil {
		t.Error("a folder was taken for a key file")
	}
	if _, err := OpenFile(filepath.Join(dir, "no", "such", "folder")); err == nil {
		t.Error("a missing folder was made")
	}
}

func TestRotationOpensTheOldAndSealsWithTheNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	before, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := before.NewBox()
	sealed := old.Seal([]byte("kept"), "x")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := "master 7 " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keyBytes)) + "\n"
	if err = os.WriteFile(path, append(data, line...), 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := after.OpenBox(old.Wrapped())
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed, "x"); err != nil || string(plain) != "kept" {
		t.Fatalf("old record: %q, %v", plain, err)
	}
	fresh, _ := after.NewBox()
	if _, err = before.OpenBox(fresh.Wrapped()); err == nil || !strings.Contains(err.Error(), "master key 7 ") {
		t.Fatalf("a new record under the old file: %v", err)
	}
	if after.Hash("x") != before.Hash("x") {
		t.Fatal("rotation changed the lookup hashes")
	}
}

func TestPrintingShowsNothing(t *testing.T) {
	k := newKeys(t)
	box, _ := k.NewBox()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, k); got != "seal.Keys" {
			t.Errorf("%s of Keys: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, box); got != "seal.Box" {
			t.Errorf("%s of Box: %s", verb, got)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	key := base64.StdEncoding.EncodeToString(make([]byte, keyBytes))
	for _, s := range []string{
		"", "# nothing", "master 1 " + key, "master 1 " + key + "\nlookup " + key, "lookup " + key + "\nlookup " + key,
		"master 0 " + key + "\nlookup " + key, "master 1 " + key + "\nmaster 1 " + key + "\nlookup " + key,
		"master 1 c2hvcnQ=\nlookup " + key, "secretsecretsecret",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseFile(data)
		if err != nil {
			for word := range strings.FieldsSeq(string(data)) {
				if len(word) > 16 && strings.Contains(err.Error(), word) {
					t.Fatalf("the error shows what the file says: %v", err)
				}
			}
			return
		}
		again, err := parseFile(got.text())
		if err != nil || !bytes.Equal(again.text(), got.text()) {
			t.Fatalf("writing and reading again: %v", err)
		}
		if _, err := got.keys(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkNewBoxAndSeal(b *testing.B) {
	k := newKeys(b)
	plain := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		box, err := k.NewBox()
		if err != nil {
			b.Fatal(err)
		}
		box.Seal(plain, "run.body")
	}
}

func BenchmarkOpenBoxAndOpen(b *testing.B) {
	k := newKeys(b)
	box, _ := k.NewBox()
	sealed := box.Seal(make([]byte, 200), "run.body")
	b.ReportAllocs()
	for b.Loop() {
		box, err := k.OpenBox(box.Wrapped())
		if err != nil {
			b.Fatal(err)
		}
		if _, err = box.Open(sealed, "run.body"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	k := newKeys(b)
	id := []byte("110101199003070038")
	b.ReportAllocs()
	for b.Loop() {
		k.Hash("person", id)
	}
}
