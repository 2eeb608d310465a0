package hangzhou

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// record is a request that fits its schema.
type record struct {
	text   map[string]string
	number map[string]int64
	raw    map[string]jsontext.Value
	then   []func() // what is to be done once the books are closed again
}

// field is one member of a schema. One of text, number and raw says what it is.
type field struct {
	name   string
	want   string // in words
	text   func(string) bool
	lo, hi int64 // of a whole number, where text and raw are nil
	raw    func(jsontext.Value) bool
}

// readRecord reads {"data": {…}}: every member of the schema, each once and of its own type, and none besides.
func readRecord(plain []byte, schema []field) (*record, *twinRefusal) {
	var outer struct {
		Data map[string]jsontext.Value `json:"data"`
	}
	if json.Unmarshal(plain, &outer, json.RejectUnknownMembers(true)) != nil || outer.Data == nil {
		return nil, refuse(CodeBadRequest, "what is in the envelope is not {\"data\": {…}} without duplicate members")
	}
	out := &record{text: map[string]string{}, number: map[string]int64{}, raw: map[string]jsontext.Value{}}
	for i := range schema {
		f := &schema[i]
		v, ok := outer.Data[f.name]
		if !ok {
			return nil, refuse(CodeBadRequest, "%s: it is missing: want %s", f.name, f.want)
		}
		delete(outer.Data, f.name)
		if !f.read(v, out) {
			return nil, refuse(CodeBadRequest, "%s: it does not fit: want %s", f.name, f.want)
		}
	}
	if len(outer.Data) != 0 {
		return nil, refuse(CodeBadRequest, "there is a member that the interface does not have")
	}
	return out, nil
}

func (f *field) read(v jsontext.Value, into *record) bool {
	switch {
	case f.raw != nil:
		into.raw[f.name] = v
		return f.raw(v)
	case f.text != nil:
		var s string
		if json.Unmarshal(v, &s) != nil {
			return false
		}
		into.text[f.name] = s
		return v.Kind() == '"' && f.text(s)
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	into.number[f.name] = n
	return err == nil && n >= f.lo && n <= f.hi
}

func text(name, want string, fits func(string) bool) field {
	return field{name: name, want: want, text: fits}
}

func whole(name string, lo, hi int64) field {
	return field{name: name, want: strconv.FormatInt(lo, 10) + " to " + strconv.FormatInt(hi, 10), lo: lo, hi: hi}
}

func id(name string) field {
	return text(name, "1 to 64 letters, digits, dashes, dots and underscores", func(s string) bool { return isID(s, MaxID) })
}

func code(name string) field {
	return text(name, "1 to 32 letters, digits, dashes and underscores", isCode)
}

func word(name string) field {
	return text(name, "1 to 32 bytes", isText)
}

func local(name string) field { return text(name, "a local time, YYYY-MM-DD HH:MM:SS", isLocal) }

func isLocal(s string) bool {
	at, err := time.Parse(timeLayout, s)
	return err == nil && at.Format(timeLayout) == s
}

func plateField(name string) field {
	return text(name, "a plate of at most 32 bytes", func(s string) bool { return isText(s) && !strings.Contains(s, " ") })
}

func uid() field {
	return text("uid", "the lot's number, the entry's, and the time of entry", func(s string) bool { return isID(s, 2*MaxCode+14) && len(s) > 14 })
}

func amount(name string) field { return whole(name, 0, MaxFen) }

func berthFields() []field {
	const most = 1_000_000
	return []field{whole("totalBerthNum", 0, most), whole("openBerthNum", 0, most), whole("freeBerthNum", 0, most)}
}

func heartbeatSchema() []field { return []field{code("parkingCode"), local("uploadTime")} }

func stateSchema() []field { return append(berthFields(), heartbeatSchema()...) }

// stayFields are of arrivals, departures and charges.
func stayFields() []field {
	return []field{uid(), plateField("plateNo"), whole("plateColor", int64(Blue), int64(Green)), code("parkingCode"), local("arriveTime")}
}

func moveFields() []field {
	return append(append(stayFields(), code("entryNum"), word("gateNo"), word("operatorCode"), whole("parkingType", int64(Casual), int64(Special)),
		local("uploadTime")), berthFields()...)
}

func arrivalSchema() []field { return append(moveFields(), id("arriveID")) }

func departureSchema() []field {
	return append(moveFields(), id("endID"), code("outNum"), local("endTime"))
}

func chargeSchema() []field {
	return append(stayFields(), id("billID"), local("billTime"), local("endTime"), whole("shouldPay", 1, MaxFen), whole("payStatus", 0, 0),
		whole("carStock", 0, 1))
}

func paymentSchema() []field {
	return []field{id("billID"), uid(), plateField("plateNo"), code("parkingCode"), amount("chargeFee"), amount("shouldPay"), amount("actualPay"),
		local("billTime"), local("dealTime"), whole("paidType", int64(Cash), int64(CardAccount)), whole("payType", int64(PayLater), int64(Arrears)),
		whole("billWay", 0, 1), local("uploadTime")}
}

func dailySchema() []field {
	return []field{code("parkingCode"), text("plateNo", "a plate, or nothing for all", func(s string) bool { return s == "" || isText(s) }),
		text("checkBillTime", "a day, YYYY-MM-DD", func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil })}
}

func confirmSchema() []field {
	return []field{id("requestId"),
		{name: "success", want: "true", raw: func(v jsontext.Value) bool { return v.Kind() == 't' }},
		{name: "params", want: "the data of the push", raw: func(v jsontext.Value) bool { return v.Kind() == '{' }}}
}

// isStay reports whether the number of a stay is made of what else is said.
func (r *record) isStay() bool {
	lot, entered := r.text["parkingCode"], strings.NewReplacer("-", "", " ", "", ":", "").Replace(r.text["arriveTime"])
	if entry, ok := r.text["entryNum"]; ok {
		return r.text["uid"] == lot+entry+entered
	}
	return strings.HasPrefix(r.text["uid"], lot) && strings.HasSuffix(r.text["uid"], entered)
}

// content is a keyed hash of all that a repetition must say again: not the time of sending, nor how full the lot is.
func (t *Twin) content(r *record, schema []field) string {
	var parts []string
	for i := range schema {
		switch name := schema[i].name; {
		case name == "uploadTime", strings.HasSuffix(name, "BerthNum"):
		case schema[i].text != nil:
			parts = append(parts, name, r.text[name])
		default:
			parts = append(parts, name, strconv.FormatInt(r.number[name], 10))
		}
	}
	return t.hash(parts...)
}
