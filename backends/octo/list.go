package octo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// A list is read beside visitors who wait at the gates, on the same cores: after every listPiece of work the reader rests
// for three times as long, so that it has a quarter of one core at the most.
const (
	listPiece = time.Millisecond
	listRest  = 3
)

// BookingsOn hands the bookings of a product for a local date (date in its own location) to each as they arrive: what a
// gate knows before the day begins. A read, over connections of its own; it needs no more memory than one booking, takes
// its time, and ends early with the error of each.
//
// The whole list is bounded by Config.MaxListBody and a booking in it by Config.MaxBody. A booking that is not what OCTO
// promises is left out; the others are handed on, and the error at the end says how many are missing. A list that breaks
// off, or is no JSON from some place on, ends there with an error.
func (c *Client) BookingsOn(ctx context.Context, date time.Time, productID string, each func(*Booking) error) error {
	const op = "BookingsOn"
	if !isReference(productID) {
		return c.lists.NotSent(op, wire.ReasonInput, nil)
	}
	path := "/bookings/?localDate=" + date.Format(time.DateOnly) + "&productId=" + url.QueryEscape(productID)
	answer, err := c.lists.Stream(ctx, &wire.Request{Op: op, Method: fasthttp.MethodGet, Path: path})
	if err != nil {
		return err
	}
	defer answer.Release()
	if e := judge(answer); e != nil {
		return e
	}
	l := &list{answer: answer, body: answer.Read(ctx), most: int64(c.most)}
	l.dec = jsontext.NewDecoder(l)
	return l.read(ctx, each)
}

// list is an array of bookings on its way.
type list struct {
	answer wire.Answer
	body   *wire.Body
	dec    *jsontext.Decoder
	most   int64 // bytes of one booking
	got    int64 // bytes so far
	limit  int64 // of got, for the booking that is being read
	broken error // why no more bytes come
	worked time.Duration
}

// Read hands the decoder bytes, up to what one booking may have.
func (l *list) Read(p []byte) (int, error) {
	if l.got == l.limit {
		l.broken = l.answer.Unknown(wire.ReasonTooLarge)
		return 0, l.broken
	}
	n, err := l.body.Read(p[:min(int64(len(p)), l.limit-l.got)])
	l.got += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		l.broken = err
	}
	return n, err
}

func (l *list) read(ctx context.Context, each func(*Booking) error) error {
	l.limit = l.most
	if token, err := l.dec.ReadToken(); err != nil || token.Kind() != '[' {
		return l.garbage()
	}
	all, bad := 0, 0
	for ; ; all++ {
		b, ok, err := l.next()
		switch {
		case err != nil:
			return err
		case b == nil:
			if bad == 0 {
				return nil
			}
			e := l.answer.Unknown(wire.ReasonGarbage)
			e.Cause = fmt.Errorf("%d of %d bookings are not what OCTO promises", bad, all)
			return e
		case !ok:
			bad++
		default:
			if err := each(b); err != nil {
				return err
			}
		}
		if err := l.rest(ctx); err != nil {
			return err
		}
	}
}

// next decodes one booking and reports whether it is one; nil: the list has ended.
func (l *list) next() (b *Booking, ok bool, err error) {
	begin, waited := time.Now(), l.body.Waited()
	defer func() { l.worked += time.Since(begin) - (l.body.Waited() - waited) }()
	l.limit = l.dec.InputOffset() + l.most
	b = new(Booking)
	switch kind := l.dec.PeekKind(); kind {
	case ']':
		if _, err := l.dec.ReadToken(); err != nil {
			return nil, false, l.garbage()
		}
		if _, err := l.dec.ReadToken(); !errors.Is(err, io.EOF) || l.broken != nil {
			return nil, false, l.garbage()
		}
		return nil, false, nil
	case '{':
		var one jsontext.Value
		if one, err = l.dec.ReadValue(); err == nil { // it is sound JSON, without duplicates
			ok = json.Unmarshal(one, b, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil && b.whole()
		}
	default:
		err = l.dec.SkipValue()
	}
	if err != nil {
		return nil, false, l.garbage()
	}
	return b, ok, nil
}

// garbage is the error of a list that cannot be read on: what the connection says, else that it is no list of OCTO.
func (l *list) garbage() error {
	if l.broken != nil {
		return l.broken
	}
	return l.answer.Unknown(wire.ReasonGarbage)
}

// rest pauses after a piece of work.
func (l *list) rest(ctx context.Context) error {
	if l.worked < listPiece {
		return nil
	}
	timer := time.NewTimer(listRest * l.worked)
	defer timer.Stop()
	l.worked = 0
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		e := l.answer.Unknown(wire.ReasonTimeout)
		e.Cause = ctx.Err()
		return e
	}
}
