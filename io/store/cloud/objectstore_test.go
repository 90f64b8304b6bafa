//go:build objectstore

package cloud_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/tidelake/tidelake/io/store"
	_ "github.com/tidelake/tidelake/io/store/cloud"
	"github.com/tidelake/tidelake/io/store/storetest"
)

// TestObjectStore runs the suite against a real bucket, each test below a
// prefix of its own: TIDELAKE_S3_URL=s3://bucket?endpoint=…&region=…
// The script interop/objectstore.sh starts a server for it.
func TestObjectStore(t *testing.T) {
	base := os.Getenv("TIDELAKE_S3_URL")
	if base == "" {
		t.Fatal("TIDELAKE_S3_URL is not set; run interop/objectstore.sh")
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Suite(t, func(t *testing.T) store.Store {
		u := *u
		u.Path = strings.TrimSuffix(u.Path, "/") + "/" + uuid.NewString()
		s, err := store.Open(t.Context(), u.String())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
