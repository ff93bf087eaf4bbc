package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/theory/jsonpath"

	"plimsoll/config/fault"
)

// decode reads one JSON value and nothing behind it; numbers keep their digits.
func decode(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("it is no JSON that can be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something stands behind its JSON")
	}
	return nil
}

// at is the one value that a JSONPath (RFC 9535) selects. None, null and several
// are not the same: null is an answer, the others say that the path is wrong.
func at(doc any, what, path string) (any, error) {
	p, err := jsonpath.Parse(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "correct "+what+" of the source (JSONPath, RFC 9535)", err, "%s %q is no JSONPath", what, path)
	}
	switch found := p.Select(doc); len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("its answer has nothing at %s (%s)", path, what)
	default:
		return nil, fmt.Errorf("its answer has %d values at %s (%s)", len(found), path, what)
	}
}

// word is a value as people write it.
func word(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// numberAt is a whole number at a path, 0 without a path.
func numberAt(doc any, what, path string) (int, error) {
	if path == "" {
		return 0, nil
	}
	v, err := at(doc, what, path)
	if err != nil {
		return 0, err
	}
	w, _ := word(v)
	n, err := strconv.ParseFloat(w, 64)
	if err != nil || n < 0 || n > maxCount || n != float64(int(n)) {
		return 0, fmt.Errorf("%s is no number of tests (%s)", path, what)
	}
	return int(n), nil
}

// moment reads RFC 3339 or seconds since 1970; zero for null and "".
func moment(v any) (time.Time, error) {
	w, ok := word(v)
	if v == nil || ok && w == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, w); err == nil {
		return at.UTC(), nil
	}
	n, err := strconv.ParseFloat(w, 64)
	if err != nil || n < 0 || n > 1e11 {
		return time.Time{}, fmt.Errorf("%q is no time: RFC 3339 or seconds since 1970", text(w))
	}
	return time.Unix(int64(n), 0).UTC(), nil
}
