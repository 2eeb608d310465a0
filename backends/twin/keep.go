package twin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
)

// saveEvery is how far behind the answers the books on disk may be.
const saveEvery = 3 * time.Second

func (c *City) file(name string) string { return filepath.Join(c.cfg.DataDir, name+".json") }

// restore gives a twin what it knew before. A state that cannot be read is an error: starting empty would be a lie.
func (c *City) restore(kind, name string, b Backend) error {
	if c.cfg.DataDir == "" {
		return nil
	}
	state, err := os.ReadFile(c.file(kind + "." + name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = b.Restore(state)
	}
	if err != nil {
		return fmt.Errorf("cannot restore twin %s/%s: %w", kind, name, err)
	}
	return nil
}

func (c *City) saveBehind() {
	if c.cfg.DataDir == "" {
		return
	}
	for pause(saveEvery, c.closed) {
		if err := c.saveAll(); err != nil {
			c.log.Error("cannot keep the books; trying again", "error", err)
		}
	}
}

func (c *City) saveAll() error {
	c.mu.Lock()
	all := map[[2]string]*instance{}
	for kind, byName := range c.instances {
		for name, i := range byName {
			all[[2]string{kind, name}] = i
		}
	}
	c.mu.Unlock()
	var failed error
	for at, i := range all {
		failed = errors.Join(failed, c.save(at[0], at[1], i))
	}
	return failed
}

// save writes what a twin knows if it has changed since the last time.
func (c *City) save(kind, name string, i *instance) error {
	if c.cfg.DataDir == "" {
		return nil
	}
	i.saving.Lock()
	defer i.saving.Unlock()
	changes := i.backend.Changes() // before Save: what changes meanwhile is written again
	if changes == i.saved {
		return nil
	}
	state, err := i.backend.Save()
	if err == nil {
		err = writeFile(c.file(kind+"."+name), state)
	}
	if err != nil {
		return fmt.Errorf("cannot keep twin %s/%s: %w", kind, name, err)
	}
	i.saved = changes
	return nil
}

func (c *City) readPorts() error {
	if c.cfg.DataDir == "" {
		return nil
	}
	if err := os.MkdirAll(c.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("cannot use the data folder: %w", err)
	}
	raw, err := os.ReadFile(c.file("ports"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &c.ports)
	}
	if err != nil {
		return fmt.Errorf("cannot read the ports of the last time: %w", err)
	}
	return nil
}

// writePorts is called with mu held.
func (c *City) writePorts() error {
	if c.cfg.DataDir == "" {
		return nil
	}
	raw, err := json.Marshal(c.ports, json.Deterministic(true))
	if err == nil {
		err = writeFile(c.file("ports"), raw)
	}
	return err
}

// writeFile replaces a file as a whole and durably, readable by its owner alone.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
