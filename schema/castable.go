package schema

// SupportsCast tells whether values of one type can be read as another, by
// Paimon's matrix: implicitly where nothing is lost, else only if explicit casts
// are allowed. Nullability does not count. Nested types do not cast to one
// another here: what is inside them does, each on its own.
func SupportsCast(from, to Type, explicit bool) bool {
	if from.EqualIgnoringNullability(to) {
		return true
	}
	return castExists(from, to) && (castsImplicitly(from.Kind, to.Kind) || explicit)
}

func (k Kind) text() bool      { return k == Char || k == VarChar }
func (k Kind) binary() bool    { return k == Binary || k == VarBinary }
func (k Kind) integer() bool   { return k >= TinyInt && k <= BigInt }
func (k Kind) numeric() bool   { return k >= Decimal && k <= Double }
func (k Kind) timestamp() bool { return k == Timestamp || k == TimestampLTZ }

// castExists tells that there is a rule to compute the cast with.
func castExists(from, to Type) bool {
	f := from.Kind
	switch to.Kind {
	case Char, VarChar:
		return castsToText(from, to)
	case Boolean:
		return f.text() || f.integer()
	case Binary, VarBinary:
		return f.text() || f.binary()
	case Decimal, TinyInt, SmallInt, Float, Double:
		return f.numeric() || f.text() || f == Boolean
	case Int, BigInt:
		return f.numeric() || f.text() || f == Boolean || f.timestamp()
	case Date, Time:
		return f.text() || f.timestamp()
	case Timestamp, TimestampLTZ:
		return f.text() || f.timestamp() || f == Date || f == Time || f == Int || f == BigInt
	}
	return false
}

// castsToText: dates and times become STRING only, never a text of bounded
// length; nested values do where all that is inside them does.
func castsToText(from, to Type) bool {
	text := Type{Kind: VarChar, Length: MaxLength}
	switch from.Kind {
	case Date, Time, Timestamp, TimestampLTZ:
		return to.Kind == VarChar && to.Length == MaxLength
	case Array:
		return castsToText(*from.Elem, text)
	case Map:
		return castsToText(*from.Key, text) && castsToText(*from.Elem, text)
	case Row:
		for _, f := range from.Fields {
			if !castsToText(f.Type, text) {
				return false
			}
		}
		return true
	}
	return from.Kind.text() || from.Kind.binary() || from.Kind.numeric() || from.Kind == Boolean
}

func castsImplicitly(from, to Kind) bool {
	switch to {
	case VarChar:
		return from.text()
	case VarBinary:
		return from == Binary || from == VarBinary
	case Decimal, Double:
		return from.numeric()
	case SmallInt, Int, BigInt:
		return from.integer() && from <= to
	case Float:
		return from.numeric() && from != Double
	case Date, Time:
		return from == to || from == Timestamp
	case Timestamp, TimestampLTZ:
		return from.timestamp()
	}
	return from == to
}
