package wechatpay

import (
	"context"
	"strings"
)

// Bill is a day's bill, read as a whole.
type Bill struct {
	Rows []BillRow
	Sum  BillSum
}

func (b *Bill) take(r *BillRow) error {
	b.Rows = append(b.Rows, *r)
	return nil
}

// ParseBill is what TradeBill reads a file with.
func ParseBill(text, day string) (*Bill, error) {
	b := &Bill{}
	var err error
	if b.Sum, err = readBill(strings.NewReader(text), day, b.take); err != nil {
		return nil, err
	}
	return b, nil
}

// WholeBill is TradeBill into one value.
func (c *Client) WholeBill(ctx context.Context, day string) (*Bill, error) {
	b := &Bill{}
	var err error
	if b.Sum, err = c.TradeBill(ctx, day, b.take); err != nil {
		return nil, err
	}
	return b, nil
}
