package store

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/tidelake/tidelake/internal/fault"
)

// buckets are the schemes whose drivers and servers create if absent atomically.
var buckets = []string{"s3", "gs", "azblob"}

// Open opens the store that a URL names:
//
//	./warehouse, /data/warehouse, file:///data/warehouse or file:/data/warehouse
//	s3://bucket/prefix?region=eu-central-1       (endpoint=…, use_path_style=true for other servers)
//	gs://bucket/prefix
//	azblob://container/prefix
//	mem://                                       a new store in memory
//	mem://name/prefix                            the store of that name in this process
//
// What follows "?" goes to the driver. The drivers of s3, gs and azblob come
// with a blank import of package io/store/cloud, so that programs which need
// none of them stay small; without it these schemes are fault.ErrUnsupported.
func Open(ctx context.Context, rawURL string) (Store, error) {
	if strings.HasPrefix(rawURL, "file:/") { // Java writes it with one slash too
		return openFile(rawURL)
	}
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok || filepath.VolumeName(rawURL) != "" {
		return NewLocal(rawURL)
	}
	switch {
	case scheme == "mem":
		return openMem(rest)
	case slices.Contains(buckets, scheme):
		return openBucket(ctx, rawURL)
	}
	return nil, fault.Unsupported("store "+scheme+"://", "use a local path, s3://, gs://, azblob:// or mem://")
}

func openFile(rawURL string) (Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" || u.RawQuery != "" {
		return nil, badURL(rawURL, "file:// takes an absolute path: file:///data/warehouse", err)
	}
	return NewLocal(filepath.FromSlash(u.Path))
}

// named are the stores in memory that have a name; they live as long as the process.
var named struct {
	sync.Mutex
	buckets map[string]Store
}

func openMem(rest string) (Store, error) {
	if strings.ContainsAny(rest, "?#") {
		return nil, badURL("mem://"+rest, "mem:// takes no parameters", nil)
	}
	name, prefix, _ := strings.Cut(strings.Trim(rest, "/"), "/")
	if name == "" {
		return NewMem(), nil
	}
	if err := checkDir(prefix); err != nil {
		return nil, err
	}
	named.Lock()
	defer named.Unlock()
	if named.buckets == nil {
		named.buckets = map[string]Store{}
	}
	if named.buckets[name] == nil {
		named.buckets[name] = NewBlob(memblob.OpenBucket(nil), "mem://"+name)
	}
	return Sub(keepOpen{named.buckets[name]}, prefix), nil
}

// keepOpen shields a shared store from its users' Close.
type keepOpen struct{ Store }

func (keepOpen) Close() error { return nil }

func openBucket(ctx context.Context, rawURL string) (Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, badURL(rawURL, "", err)
	}
	if u.Host == "" {
		return nil, badURL(rawURL, "the name of the bucket is missing", nil)
	}
	if !blob.DefaultURLMux().ValidBucketScheme(u.Scheme) {
		return nil, fault.Unsupported("store "+u.Scheme+":// in this program",
			`import _ "github.com/tidelake/tidelake/io/store/cloud" to build its driver in`)
	}
	if q := u.Query(); q.Has("prefix") || q.Has("key") {
		return nil, badURL(rawURL, "prefix and key are no parameters here: write "+u.Scheme+"://bucket/prefix", nil)
	}
	prefix := strings.Trim(u.Path, "/")
	if err := checkDir(prefix); err != nil {
		return nil, err
	}
	u.Path, u.RawPath = "", ""
	b, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, badURL(rawURL, "", err)
	}
	return Sub(NewBlob(b, u.String()), prefix), nil
}

func badURL(rawURL, detail string, cause error) error {
	return &fault.Error{Class: fault.ErrInvalid, Op: "open store", File: rawURL, Detail: detail, Err: cause}
}
