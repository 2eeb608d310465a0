package event

import (
	"bytes"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
)

// The bounds of an event beside those of a request's body. CloudEvents has none.
const (
	maxAttributes = 64
	maxName       = 64   // bytes of an extension attribute's name
	maxID         = 256  // bytes of id
	maxType       = 128  // bytes of type
	maxText       = 1024 // bytes of any other attribute
)

// parse reads one event in the JSON format of CloudEvents 1.0.2. What the standard leaves open is closed: time is needed,
// data is JSON. A mistake is a problem that names the attribute; it never holds what was sent.
func parse(raw []byte) (flow.Event, *gateway.Error) {
	members, wrong := readMembers(raw)
	if wrong != nil {
		return flow.Event{}, wrong
	}
	r := reader{members: members}
	r.exactly("specversion", "1.0")
	e := flow.Event{
		ID: r.text("id", maxID, true), Source: r.reference("source", false, true), Type: r.text("type", maxType, true),
		Time: r.time("time"), Subject: r.text("subject", maxText, false),
	}
	r.jsonMedia("datacontenttype")
	r.reference("dataschema", true, false)
	if r.there("data_base64") {
		r.refuse("data_base64", gateway.Text{Zh: "数据须为 JSON，放在 data 中。", En: "The data must be JSON, in data."})
	}
	if r.there("data") {
		e.Data = bytes.Clone(members["data"])
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known(name) {
			r.extension(name)
		}
	}
	if r.wrong != nil {
		return flow.Event{}, r.wrong
	}
	return e, nil
}

// known reports whether a member is defined by CloudEvents itself.
func known(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "data", "data_base64":
		return true
	}
	return false
}

// readMembers reads an object; a name twice, here or in any value, is refused.
func readMembers(raw []byte) (map[string]jsontext.Value, *gateway.Error) {
	var v jsontext.Value
	if err := edge.Decode(raw, &v); err != nil {
		return nil, gateway.AsError(err)
	}
	if v.Kind() != '{' {
		return nil, edge.ProblemFieldInvalid.Error(gateway.Text{
			Zh: "事件应为 CloudEvents 1.0 的 JSON 对象。", En: "An event must be an object, in the JSON format of CloudEvents 1.0."})
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(v, &members); err != nil {
		return nil, gateway.AsError(err)
	}
	if len(members) > maxAttributes {
		return nil, edge.ProblemFieldInvalid.Error(gateway.Text{
			Zh: "事件最多有 64 个属性。", En: "An event may have 64 attributes."}).With("limit", maxAttributes)
	}
	return members, nil
}

// reader reads attributes and keeps the first mistake.
type reader struct {
	members map[string]jsontext.Value
	wrong   *gateway.Error
}

func (r *reader) refuse(name string, detail gateway.Text) {
	if r.wrong == nil {
		r.wrong = edge.ProblemFieldInvalid.Error(detail).WithField(name)
	}
}

// there reports whether an attribute is set. Null means that it is not (JSON format §2.2).
func (r *reader) there(name string) bool {
	v := r.members[name]
	return len(v) > 0 && v.Kind() != 'n'
}

// text reads a String (CloudEvents §3.1) of 1 to most bytes.
func (r *reader) text(name string, most int, needed bool) string {
	if !r.there(name) {
		if needed && r.wrong == nil {
			r.wrong = edge.ProblemFieldMissing.Error(gateway.Text{
				Zh: "事件须有该属性。", En: "An event needs this attribute."}).WithField(name)
		}
		return ""
	}
	var s string
	if r.members[name].Kind() != '"' || json.Unmarshal(r.members[name], &s) != nil || !isString(s) {
		r.refuse(name, gateway.Text{Zh: "应为不含控制字符的字符串。", En: "It must be a string without control characters."})
		return ""
	}
	if s == "" || len(s) > most {
		r.wrong = or(r.wrong, edge.ProblemFieldInvalid.Error(gateway.Text{
			Zh: "长度超出范围。", En: "It must not be empty, nor longer than the limit in bytes."}).WithField(name).With("limit", most))
		return ""
	}
	return s
}

func or(first, second *gateway.Error) *gateway.Error {
	if first != nil {
		return first
	}
	return second
}

// isString reports whether s has only what a String of CloudEvents may have: no control characters and no noncharacters.
func isString(s string) bool {
	for _, c := range s {
		if c < 0x20 || c >= 0x7f && c < 0xa0 || c >= 0xfdd0 && c <= 0xfdef || c&0xfffe == 0xfffe {
			return false
		}
	}
	return true
}

func (r *reader) exactly(name, want string) {
	if s := r.text(name, maxText, true); s != "" && s != want {
		r.refuse(name, gateway.Text{Zh: "须为 " + want + "。", En: "It must be " + want + "."})
	}
}

// reference reads a URI-reference (RFC 3986 §4.1), or a URI, which has a scheme.
func (r *reader) reference(name string, absolute, needed bool) string {
	s := r.text(name, maxText, needed)
	if s == "" {
		return ""
	}
	if u, err := url.Parse(s); err != nil || strings.Trim(s, uriCharacters) != "" || absolute && u.Scheme == "" {
		r.refuse(name, gateway.Text{Zh: "应为网址或网址引用（RFC 3986）。", En: "It must be a URI, or with source a URI-reference (RFC 3986)."})
		return ""
	}
	return s
}

// uriCharacters are all that a URI may have (RFC 3986 §2).
const uriCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%"

// time reads a Timestamp: RFC 3339, with T and Z in capitals.
func (r *reader) time(name string) time.Time {
	s := r.text(name, maxText, true)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !strict(s) {
		r.refuse(name, gateway.Text{Zh: "应为带时区的时间（RFC 3339）。", En: "It must be a time with its offset (RFC 3339)."})
	}
	return t
}

// strict refuses what time.Parse takes and RFC 3339 §5.6 has not: a comma, an hour of one digit, an offset of a day.
func strict(s string) bool {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) <= seconds || s[len("2006-01-02T15")] != ':' || s[seconds] == ',' {
		return false
	}
	if s[len(s)-1] == 'Z' {
		return true
	}
	offset := s[len(s)-len("08:00"):]
	return offset[:2] <= "23" && offset[3:] <= "59"
}

// jsonMedia reads a media type that must be JSON's where it is there (JSON format §3.1).
func (r *reader) jsonMedia(name string) {
	s := r.text(name, maxText, false)
	if s == "" {
		return
	}
	media, parameters, err := mime.ParseMediaType(s)
	_, sub, _ := strings.Cut(media, "/")
	if err != nil || sub != "json" && !strings.HasSuffix(sub, "+json") || !isUTF8(parameters) {
		r.refuse(name, gateway.Text{Zh: "数据须为 JSON。", En: "The data must be JSON."})
	}
}

// isUTF8 reports whether the parameters of a media type leave JSON in the one coding that it has.
func isUTF8(parameters map[string]string) bool {
	charset, there := parameters["charset"]
	return !there || strings.EqualFold(charset, "utf-8")
}

// extension holds an attribute that CloudEvents does not define against its rules for names and values (§3.1, JSON format
// §2.2). It is not used.
func (r *reader) extension(name string) {
	if len(name) > maxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || name == "" {
		r.refuse(edge.SafeName(name), gateway.Text{
			Zh: "没有该属性；扩展属性的名称只能用小写字母和数字。", En: "There is no such attribute; names of extension attributes have lower-case letters and digits only."})
		return
	}
	switch v := r.members[name]; v.Kind() {
	case '"':
		var s string
		if json.Unmarshal(v, &s) != nil || len(s) > maxText || !isString(s) {
			r.refuse(edge.SafeName(name), gateway.Text{Zh: "字符串过长或含控制字符。", En: "The string is too long or has control characters."})
		}
	case '0':
		var n int32
		if json.Unmarshal(v, &n) != nil {
			r.refuse(edge.SafeName(name), gateway.Text{Zh: "应为 32 位整数。", En: "A number must be an integer of 32 bits."})
		}
	case 't', 'f', 'n':
	default:
		r.refuse(edge.SafeName(name), gateway.Text{
			Zh: "扩展属性应为字符串、整数或布尔值。", En: "An extension attribute must be a string, an integer, true or false."})
	}
}
