package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// unzipping reads what is gzip unpacked, and anything else as it is, unless it
// always has to be gzip. It looks when the first byte is asked for: a pipe may
// have none for long, and what else is wrong is told before that.
type unzipping struct {
	from   io.ReadCloser
	name   string // begins errors of the packed form
	always bool

	plain io.Reader // nil before the first byte
	zip   *gzip.Reader
}

func (u *unzipping) Read(p []byte) (int, error) {
	if u.plain == nil {
		if err := u.begin(); err != nil {
			return 0, err
		}
	}
	n, err := u.plain.Read(p)
	if u.zip != nil && err != nil && err != io.EOF {
		err = u.damaged(err)
	}
	return n, err
}

func (u *unzipping) begin() error {
	r := bufio.NewReader(u.from)
	if !u.always {
		head, err := r.Peek(2)
		if err != nil && err != io.EOF {
			return err
		}
		if string(head) != "\x1f\x8b" {
			u.plain = r
			return nil
		}
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return u.damaged(err)
	}
	u.plain, u.zip = z, z
	return nil
}

// damaged is an error of the packed form, told by its place: the rows cannot
// say where it is.
func (u *unzipping) damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%sgzip data that end too early: %w", u.name, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s%w", u.name, err)
}

func (u *unzipping) Close() error {
	if u.zip != nil {
		return errors.Join(u.zip.Close(), u.from.Close())
	}
	return u.from.Close()
}
