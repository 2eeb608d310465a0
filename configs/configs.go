// Package configs holds the gateway's shipped configuration, so that the sandbox runs on the very files that a city
// begins with.
package configs

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed gateway.yaml venues/*.yaml
var files embed.FS

// GatewayFile is the name of the gateway's file below the folder that Write was given.
const GatewayFile = "gateway.yaml"

// Write writes the shipped files below folder, which is made (mode 0700) when absent. A file of the same name is
// replaced; others stay.
func Write(folder string) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(folder, filepath.FromSlash(name))
		if d.IsDir() {
			err = os.MkdirAll(to, 0o700)
		} else {
			var text []byte
			if text, err = files.ReadFile(name); err == nil {
				err = os.WriteFile(to, text, 0o600)
			}
		}
		if err != nil {
			return fmt.Errorf("cannot write the shipped configuration: %w", err)
		}
		return nil
	})
}
