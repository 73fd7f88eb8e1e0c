package judge

import (
	"regexp"
	"strings"
	"time"
)

const (
	second    = int64(10_000_000)
	day       = 86_400 * second
	yearOne   = int64(62_135_596_800) // seconds from 0001-01-01 to 1970-01-01
	lookback  = 30 * day
	layout    = "2006-01-02T15:04:05.9999999Z"
	wholeOnly = "2006-01-02T15:04:05Z"
)

var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)$`)

// Ticks are units of 100 ns since year 1.
type Ticks int64

// ParseTime reads an RFC 3339 time as the API takes it.
func ParseTime(text string) (Ticks, bool) {
	if !rfc3339.MatchString(text) {
		return 0, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, false
	}
	return FromTime(at), true
}

// FromTime cuts a time to a tick.
func FromTime(at time.Time) Ticks {
	return Ticks((at.Unix()+yearOne)*second + int64(at.Nanosecond()/100))
}

func (t Ticks) time() time.Time {
	return time.Unix(int64(t)/second-yearOne, int64(t)%second*100).UTC()
}

func (t Ticks) String() string       { return t.time().Format(layout) }
func (t Ticks) seconds() string      { return t.time().Format(wholeOnly) }
func (t Ticks) floor(by Ticks) Ticks { return t - t%by }
func (t Ticks) ceil(by Ticks) Ticks  { return (t + by - 1).floor(by) }

// parseDuration reads a Go duration into ticks, rounded up.
func parseDuration(text string) (Ticks, bool) {
	length, err := time.ParseDuration(text)
	if err != nil || text == "" {
		return 0, false
	}
	return Ticks((length.Nanoseconds() + 99) / 100), true
}

func interval(spec *Spec) (Ticks, bool) {
	length, ok := parseDuration(spec.Interval)
	return length, ok && length >= Ticks(60*second)
}

func delay(spec *Spec) Ticks {
	length, ok := parseDuration(spec.IngestionDelay)
	if !ok || length < 0 {
		return 0
	}
	return length
}

const marks = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff;"

// firstCode is the body from its first character of code on.
func firstCode(body string) string {
	for {
		trimmed := strings.TrimSpace(strings.Trim(strings.TrimSpace(body), marks))
		if strings.HasPrefix(trimmed, "//") {
			end := strings.IndexAny(trimmed, "\r\n\u0085\u2028\u2029")
			if end < 0 {
				return ""
			}
			trimmed = trimmed[end+1:]
		}
		if trimmed == body {
			return body
		}
		body = trimmed
	}
}
