package wechatpay

import "time"

// PlateColor is the colour of a plate, in the provider's words.
type PlateColor string

// The colours of plates.
const (
	Blue      PlateColor = "BLUE"
	Green     PlateColor = "GREEN"
	Yellow    PlateColor = "YELLOW"
	Black     PlateColor = "BLACK"
	White     PlateColor = "WHITE"
	LimeGreen PlateColor = "LIMEGREEN" // yellow and green: large vehicles of new energy
)

func (p PlateColor) known() bool {
	switch p {
	case Blue, Green, Yellow, Black, White, LimeGreen:
		return true
	}
	return false
}

// PlateQuery asks for the service of one plate of one payer. Both are personal data.
type PlateQuery struct {
	Plate  string // 1 to 32 bytes of letters and digits, no separators
	Color  PlateColor
	OpenID string // the payer under Config.AppID, 1 to 128 visible ASCII characters
}

// ServiceState says whether a payer has opened the service for a plate.
type ServiceState string

// The states of a plate's service. The provider may get others.
const (
	ServiceNormal ServiceState = "NORMAL"
	ServicePaused ServiceState = "PAUSE"
	ServiceOut    ServiceState = "OUT_SERVICE" // never opened
)

// PlateService is what the provider knows of a plate.
type PlateService struct {
	State    ServiceState
	OpenedAt time.Time // zero where it is not said
}

// Entry is a car that came in, as it is sent; a retry must send what was sent before. The plate is personal.
type Entry struct {
	OutParkingNo string // the merchant's own number of the entry: the key. See MaxOutParkingNo
	Plate        string // 1 to 32 bytes of letters and digits, no separators
	Color        PlateColor
	EnteredAt    time.Time // sent to the second
	ParkingName  string    // of the lot, 1 to MaxParkingName characters
	Free         time.Duration
}

// ParkingState says whether a car may leave now and pay by WeChat Pay later.
type ParkingState string

// The states of an entry. With any other, take it for Blocked.
const (
	Normal  ParkingState = "NORMAL"
	Blocked ParkingState = "BLOCKED"
)

// The provider's words for why an entry is Blocked. It may send others.
const (
	BlockPaused     = "PAUSE"             // the owner has paused the service
	BlockOverdue    = "OVERDUE"           // the owner owes for another stay
	BlockRemoved    = "REMOVE"            // the owner has removed the plate
	BlockOut        = "OUT_SERVICE"       // the service was never opened for this plate
	BlockEvaluation = "EVALUATION_FAILED" // the owner's score does not allow it
)

// Parking is an entry as the provider has it.
type Parking struct {
	ID           string // the provider's own, needed for the charge
	OutParkingNo string
	State        ParkingState
	BlockReason  string // one of the Block words where it is Blocked; "": not said
}

// Charge is the order to deduct a fee, as it is sent; a retry must send what was sent before. The plate is personal.
type Charge struct {
	OutTradeNo  string // the merchant's own number of the charge: the key. See MaxOutTradeNo
	Description string // on the payer's bill, 1 to MaxDescription characters
	Attach      string // comes back in queries and notifications, at most MaxAttach characters; "": none
	Total       int64  // fen (CNY), 1 to MaxTotal-1
	ParkingID   string // Parking.ID
	Plate       string // as in the Entry
	Color       PlateColor
	EnteredAt   time.Time // as in the Entry
	LeftAt      time.Time // after EnteredAt and not in the future
	ParkingName string    // as in the Entry
	Charged     time.Duration
	DeviceID    string // of the gate, 1 to 32 visible ASCII characters
}

// TradeState says how a charge stands.
type TradeState string

// The states of a charge. With any other, it is not decided yet.
const (
	Accepted TradeState = "ACCEPTED" // it will be deducted
	Success  TradeState = "SUCCESS"  // paid
	PayFail  TradeState = "PAY_FAIL" // not paid, and it will not be under this number
	Refunded TradeState = "REFUND"   // paid, and refunded wholly or in part
)

// Transaction is a charge as the provider has it.
type Transaction struct {
	OutTradeNo  string
	ID          string // the provider's own number; "" until it is paid
	State       TradeState
	Why         string // the provider's sentence on the state, at most 512 bytes; never log it
	Total       int64  // fen (CNY)
	PayerTotal  int64  // fen: what the payer paid; 0 where it is not said
	Discount    int64  // fen: coupons and the like
	CreatedAt   time.Time
	SucceededAt time.Time // zero until it is paid
	BankType    string    // BankAdvance: the provider advanced it
	Repaid      bool      // the payer has repaid what was advanced
	Attach      string
	OpenID      string // the payer: personal data
	ParkingID   string // Parking.ID; "" where it is not said
}

// BankAdvance is the BankType of what the provider paid itself: the merchant has the money, the payer owes the provider.
const BankAdvance = "BPA"

// RefundOrder is the order to give money back, as it is sent; a retry must send what was sent before.
type RefundOrder struct {
	OutRefundNo string // the merchant's own number of the refund: the key. See MaxOutRefundNo
	OutTradeNo  string // of the charge
	Reason      string // shown to the payer, at most 80 characters; "": none
	Refund      int64  // fen, 1 to Total
	Total       int64  // fen: of the charge
}

// RefundState says how a refund stands.
type RefundState string

// The states of a refund. With any other, it is not decided yet.
const (
	RefundProcessing RefundState = "PROCESSING"
	RefundSuccess    RefundState = "SUCCESS"
	RefundClosed     RefundState = "CLOSED"   // it was given up: nothing was refunded
	RefundAbnormal   RefundState = "ABNORMAL" // the payer's account takes no money: a person must look
)

// Refund is a refund as the provider has it.
type Refund struct {
	OutRefundNo string
	ID          string // the provider's own number
	OutTradeNo  string
	Transaction string // the provider's number of the charge
	State       RefundState
	Refund      int64 // fen; in a notification 0 where it is not said
	Total       int64 // fen: of the charge; likewise
	CreatedAt   time.Time
	SucceededAt time.Time // zero unless State is RefundSuccess
}
