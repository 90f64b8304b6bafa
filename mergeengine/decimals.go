package mergeengine

import (
	"math/big"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/schema"
)

// Arithmetic of DECIMAL on unscaled values, whose digits count: a result of
// more digits than the precision is null.

func decimals[C calculus[decimal128.Num]](_ schema.Field, calc C) newColumn {
	return computing[decimal128.Num](calc, 16)
}

// fits is a value as it is, or null.
func fits(v *big.Int, precision int) (decimal128.Num, bool) {
	if v.CmpAbs(power10(precision)) >= 0 {
		return decimal128.Num{}, true
	}
	return decimal128.FromBigInt(v), false
}

var powers = func() (p [39 + 38]*big.Int) {
	p[0] = big.NewInt(1)
	for i := 1; i < len(p); i++ {
		p[i] = new(big.Int).Mul(p[i-1], big.NewInt(10))
	}
	return p
}()

func power10(n int) *big.Int { return powers[n] }

// decimalSum adds up. Up to a precision of 18, Java computes with 64 bits and
// looks at the digits only when those overflow: a sum may have more digits
// than its type. Such a result is what Java's tables hold, and is kept.
type decimalSum struct{ precision int }

func (c decimalSum) add(acc, in decimal128.Num) (decimal128.Num, bool) {
	return c.checked(acc.Add(in))
}

func (c decimalSum) retract(acc, in decimal128.Num) (decimal128.Num, bool, error) {
	v, null := c.checked(acc.Sub(in))
	return v, null, nil
}

func (c decimalSum) checked(v decimal128.Num) (decimal128.Num, bool) {
	if c.precision > 18 {
		return v, !v.FitsInPrecision(int32(c.precision))
	}
	return v, v.HighBits() != int64(v.LowBits())>>63
}

func (c decimalSum) owe(in decimal128.Num) (decimal128.Num, bool) {
	v := in.Negate()
	return v, !v.FitsInPrecision(int32(c.precision))
}

// decimalProduct multiplies and rounds half up to the scale.
type decimalProduct struct {
	field            string
	precision, scale int
}

func (c decimalProduct) add(acc, in decimal128.Num) (decimal128.Num, bool) {
	v := new(big.Int).Mul(acc.BigInt(), in.BigInt())
	return fits(divideHalfUp(v, power10(c.scale)), c.precision)
}

func (c decimalProduct) owe(in decimal128.Num) (decimal128.Num, bool) { return in, true }

// retract divides, which must come out even in decimal digits.
func (c decimalProduct) retract(acc, in decimal128.Num) (decimal128.Num, bool, error) {
	divisor := in.BigInt()
	if divisor.Sign() == 0 {
		return acc, true, cannotDivide(c.field, "by zero")
	}
	dividend := acc.BigInt()
	if !terminates(dividend, divisor) {
		return acc, true, cannotDivide(c.field, "of "+acc.ToString(int32(c.scale))+" by "+in.ToString(int32(c.scale))+" has no exact result")
	}
	v, null := fits(divideHalfUp(dividend.Mul(dividend, power10(c.scale)), divisor), c.precision)
	return v, null, nil
}

// terminates tells whether a quotient has finitely many decimal digits: its
// denominator in lowest terms is made of twos and fives.
func terminates(a, b *big.Int) bool {
	if a.Sign() == 0 {
		return true
	}
	rest := new(big.Int).Div(new(big.Int).Abs(b), new(big.Int).GCD(nil, nil, new(big.Int).Abs(a), new(big.Int).Abs(b)))
	for _, prime := range []*big.Int{big.NewInt(2), big.NewInt(5)} {
		for {
			q, m := new(big.Int).QuoRem(rest, prime, new(big.Int))
			if m.Sign() != 0 {
				break
			}
			rest = q
		}
	}
	return rest.Cmp(powers[0]) == 0
}

// divideHalfUp is a / b rounded to the nearest integer, halves away from zero.
func divideHalfUp(a, b *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	if r.Lsh(r, 1).CmpAbs(b) >= 0 {
		q.Add(q, big.NewInt(int64(a.Sign()*b.Sign())))
	}
	return q
}
