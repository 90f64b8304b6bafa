// Package literal turns the text of a scalar into its value and back, exactly.
//
// A text is first read as what it says, without a target type: a Number of any
// length, or a DateTime down to the nanosecond. Only then is it fitted to a
// type, and the Fit tells whether the type can hold it:
//
//	"3.5" ── Number ── fit to INT ──▶ 3, Between   (the value lies above 3, below 4)
//	"300" ── Number ── fit to TINYINT ──▶ 127, TooLarge
//
// Cast accepts only Exact fits, so nothing is rounded in silence; filters use
// the other fits to stay mathematically right (an INT is never equal to 3.5,
// and is less than 3.5 when it is at most 3).
//
// All functions are pure and safe for concurrent use.
package literal

// Fit says how a text relates to the value it was fitted to.
type Fit uint8

// The fits. In all but TooSmall the value returned is the largest value of the
// type that is not above the text.
const (
	Exact    Fit = iota // the value is the text
	Between             // the text lies strictly between the value and the next larger one
	TooLarge            // the text is above every value; the value is the type's largest
	TooSmall            // the text is below every value; the value is the type's smallest
)

// maxQuoted is how much of a text an error repeats, in bytes.
const maxQuoted = 48

// Quote gives text in double quotes, shortened for an error.
func Quote(text string) string {
	if len(text) <= maxQuoted {
		return quote(text)
	}
	cut := maxQuoted
	for cut > 0 && text[cut]&0xC0 == 0x80 { // not in the middle of a character
		cut--
	}
	return quote(text[:cut]) + "..."
}
