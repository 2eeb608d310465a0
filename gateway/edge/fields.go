package edge

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/warmgate/warmgate/gateway"
)

// FieldMissing refuses a body that lacks a field, by its path: "guest.name".
func FieldMissing(path string) error {
	return ProblemFieldMissing.Error(gateway.Text{}).WithField(path)
}

// FieldInvalid refuses what a field says, and tells people what it may say.
func FieldInvalid(path, zh, en string) error {
	return ProblemFieldInvalid.Error(gateway.Text{Zh: zh, En: en}).WithField(path)
}

// CheckText refuses a field's text that is empty, longer than most bytes, or that nobody types.
func CheckText(path, s string, most int) error {
	unprintable := func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }
	switch {
	case strings.TrimSpace(s) == "":
		return FieldMissing(path)
	case len(s) > most:
		return FieldInvalid(path, fmt.Sprintf("最多 %d 个字节", most), fmt.Sprintf("It may have at most %d bytes.", most))
	case strings.ContainsFunc(s, unprintable):
		return FieldInvalid(path, "含有无法识别的字符", "It holds characters that cannot be printed.")
	}
	return nil
}
