package mergeengine

import (
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/tidelake/tidelake/internal/bitmap"
	"github.com/tidelake/tidelake/internal/fault"
)

// EncodeBitmap64 is bm as a column of the function rbm64 holds it: in the form
// of Java's Roaring64Bitmap, which is not the one that bm itself writes. It
// may change how bm holds its numbers, not which. Columns of rbm32 hold what
// roaring.Bitmap writes.
func EncodeBitmap64(bm *roaring64.Bitmap) ([]byte, error) { return bitmap.Write64(bm) }

// DecodeBitmap64 reads a value of a column of the function rbm64. The bitmap is
// the caller's. The error is ErrInvalid for bytes of another form.
func DecodeBitmap64(b []byte) (*roaring64.Bitmap, error) {
	bm, err := bitmap.Read64(b)
	if err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Detail: "bytes that are no 64-bit bitmap of Java's", Err: err}
	}
	return bm, nil
}
