package wechatpay

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the provider's choice for a checksum whose own value is signed
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// wireBill says where a bill is.
type wireBill struct {
	HashType string `json:"hash_type"`
	Hash     string `json:"hash_value"`
	URL      string `json:"download_url"`
}

const downloads = "/v3/billdownload/"

var errDay = errors.New("day: want YYYY-MM-DD")

// TradeBill fetches everything that was paid and refunded on a day (YYYY-MM-DD, China's time), checks it against the
// provider's checksum and its own sums, and returns it as a whole. A read over connections of its own; it takes its time, and
// the memory of a bill of Config.MaxBill bytes. It is refused with RefusedNoBill or RefusedNotReady: the provider makes a
// day's bill on the next day, by ten in the morning, and keeps it for three months.
func (c *Client) TradeBill(ctx context.Context, day string) (*Bill, error) {
	const op = "TradeBill"
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return nil, c.badInput(op, errDay)
	}
	path := "/v3/bill/tradebill?bill_date=" + day + "&bill_type=ALL"
	if c.cfg.SubMchID != "" {
		path += "&sub_mchid=" + c.cfg.SubMchID
	}
	var at wireBill
	var file string
	err := c.do(ctx, &exchange{op: op, method: "GET", path: path, out: &at, whole: func() (ok bool) {
		file, ok = at.path()
		return ok
	}})
	if err != nil {
		return nil, err
	}
	return c.download(ctx, op, day, file, at.Hash)
}

// path returns where the file is, below the base URL: the host comes from the configuration alone.
func (w *wireBill) path() (string, bool) {
	u, err := url.Parse(w.URL)
	sum, hashErr := hex.DecodeString(w.Hash)
	if err != nil || hashErr != nil || len(sum) != sha1.Size || w.HashType != "SHA1" {
		return "", false
	}
	return u.RequestURI(), strings.HasPrefix(u.EscapedPath(), downloads) && len(w.URL) <= 2048
}

// download fetches a file and reads it. The file itself is not signed: its checksum was.
func (c *Client) download(ctx context.Context, op, day, path, hash string) (*Bill, error) {
	a, err := c.sendBy(ctx, &exchange{op: op, method: "GET", path: path}, c.bills.Stream)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	if status := a.Status(); status != 200 {
		if e := c.judge(ctx, a); e != nil {
			return nil, e
		}
		return nil, a.Unknown(wire.ReasonStatus)
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(a.Read(ctx)); err != nil {
		return nil, asUnknown(a, err)
	}
	sum := sha1.Sum(text.Bytes()) //nolint:gosec // see the import
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(hash))) != 1 {
		return nil, unproven(a, errors.New("the bill's checksum is wrong"))
	}
	bill, err := parseBill(text.String(), day)
	if err == nil {
		err = bill.isOf(c.cfg.MchID, c.cfg.SubMchID)
	}
	if err != nil {
		e := a.Unknown(wire.ReasonGarbage)
		e.Cause = err
		return nil, e
	}
	return bill, nil
}

// asUnknown keeps the *wire.Error of a body that broke off.
func asUnknown(a wire.Answer, err error) error {
	if _, ok := errors.AsType[*wire.Error](err); ok {
		return err
	}
	e := a.Unknown(wire.ReasonReset)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		e.Cause = errors.New("the bill cannot be read")
	}
	return e
}

// isOf reports which row is another merchant's.
func (b *Bill) isOf(mchID, subMchID string) error {
	for i := range b.Rows {
		if r := &b.Rows[i]; r.MchID != mchID || subMchID != "" && r.SubMchID != subMchID {
			return fmt.Errorf("row %d of the bill is another merchant's", i+1)
		}
	}
	return nil
}
