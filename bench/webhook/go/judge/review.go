package judge

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Verdict is what /validate found.
type Verdict struct {
	Errors   field.ErrorList
	Warnings []string
	Audit    map[string]string
}

type bounds struct {
	start, end, every             Ticks
	hasStart, hasEnd, hasEvery    bool
	isNewStart, isNewEnd, isNewID bool
}

var environment, _ = cel.NewEnv()

// Review judges a rule as /validate does.
func Review(old, rule *SummaryRule, user string, now Ticks) Verdict {
	at := boundsOf(old, rule)
	verdict := Verdict{Audit: map[string]string{"decision": "allowed"}}
	spec := field.NewPath("spec")
	if every, ok := parseDuration(rule.Spec.Interval); ok && every < 0 {
		verdict.Errors = append(verdict.Errors, field.Invalid(spec.Child("interval"), rule.Spec.Interval, "must be positive"))
	}
	if old == nil || old.Spec.Body != rule.Spec.Body {
		reviewBody(&verdict, rule.Spec.Body)
	}
	if text := rule.Spec.CriteriaExpression; text != "" && (old == nil || old.Spec.CriteriaExpression != text) {
		if _, issues := environment.Parse(text); issues.Err() != nil {
			verdict.Errors = append(verdict.Errors, field.Invalid(spec.Child("criteriaExpression"), text, issues.Err().Error()))
		}
	}
	if rule.Spec.Backfill != nil {
		reviewBackfill(&verdict, rule, at, now)
	}
	reviewForgery(&verdict, old, rule, user)
	if at.hasStart && at.hasEnd && at.hasEvery {
		verdict.Audit["requested-range"] = fmt.Sprintf("[%s, %s)", at.start, at.end)
		windows := (at.end.ceil(at.every) - at.start.floor(at.every)) / at.every
		verdict.Audit["windows"] = strconv.FormatInt(max(0, int64(windows)), 10)
	}
	if len(verdict.Errors) > 0 {
		verdict.Warnings = nil
		verdict.Audit["decision"] = "denied"
	}
	return verdict
}

func boundsOf(old, rule *SummaryRule) (at bounds) {
	at.every, at.hasEvery = interval(&rule.Spec)
	asked := rule.Spec.Backfill
	if asked == nil {
		return at
	}
	at.start, at.hasStart = ParseTime(asked.Start)
	at.end, at.hasEnd = ParseTime(asked.End)
	before := Backfill{}
	if old != nil && old.Spec.Backfill != nil {
		before = *old.Spec.Backfill
	}
	at.isNewStart = asked.Start != before.Start
	at.isNewEnd = asked.End != before.End
	at.isNewID = asked.RequestID != before.RequestID
	return at
}

func reviewBody(verdict *Verdict, body string) {
	path := field.NewPath("spec", "body")
	code := firstCode(body)
	switch {
	case body != "" && code == "":
		verdict.Errors = append(verdict.Errors, field.Invalid(path, short(body),
			"has no query, only white space or comments; write the KQL of one window"))
	case strings.HasPrefix(code, "."):
		verdict.Errors = append(verdict.Errors, field.Invalid(path, short(code),
			"is a management command; write a query, the worker wraps it in .set-or-append"))
	}
	var missing []string
	for _, name := range []string{"_startTime", "_endTime"} {
		if body != "" && !strings.Contains(body, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		verdict.Warnings = append(verdict.Warnings, "spec.body: does not use "+strings.Join(missing, " and ")+
			", so every window reads the same data; add: where Timestamp between (_startTime .. _endTime)")
	}
}

func reviewBackfill(verdict *Verdict, rule *SummaryRule, at bounds, now Ticks) {
	path := field.NewPath("spec", "backfill")
	earliest, latest := now-Ticks(lookback), now+Ticks(lookback)
	if at.hasEvery {
		earliest, latest = earliest.floor(at.every), latest.ceil(at.every)
	}
	asked := rule.Spec.Backfill
	refuse := func(name, value, detail string) {
		verdict.Errors = append(verdict.Errors, field.Invalid(path.Child(name), value, detail))
	}
	switch {
	case asked.End == "":
		verdict.Errors = append(verdict.Errors, field.Required(path.Child("end"),
			"write the end of the range, an RFC 3339 time such as 2026-01-31T14:00:00Z"))
	case at.hasStart && at.hasEnd && at.start >= at.end:
		verdict.Errors = append(verdict.Errors, field.Invalid(path.Child("start"), field.OmitValueType{},
			fmt.Sprintf("start %s must be before end %s: the range is half-open, [start, end); "+
				"write an earlier start or a later end", asked.Start, asked.End)))
	}
	tooOld := fmt.Sprintf("is more than 30 days ago; write %s or later", earliest)
	if at.hasStart && (at.isNewStart || at.isNewID) && at.start < earliest {
		refuse("start", asked.Start, tooOld)
	}
	if at.hasEnd && (at.isNewEnd || at.isNewID) && at.end < earliest {
		refuse("end", asked.End, tooOld)
	}
	if at.hasStart && at.isNewStart && at.start > now {
		refuse("start", asked.Start, fmt.Sprintf("is in the future; write a start before now (%s)", now.seconds()))
	}
	if at.hasEnd && at.isNewEnd && at.end > latest {
		refuse("end", asked.End, fmt.Sprintf("is more than 30 days in the future; write %s or earlier", latest))
	}
	caution(verdict, rule, at, now)
}

func caution(verdict *Verdict, rule *SummaryRule, at bounds, now Ticks) {
	if at.hasEnd && at.isNewEnd && at.end > now {
		verdict.Warnings = append(verdict.Warnings, fmt.Sprintf(
			"spec.backfill.end: %s is in the future; its last windows wait until they are due", at.end))
	}
	suspended := rule.Spec.Suspend != nil && *rule.Spec.Suspend
	if !at.hasStart || !at.hasEnd || !at.hasEvery || suspended || rule.Spec.Backfill.RequestID == "" {
		return
	}
	created := now
	if !rule.CreationTimestamp.IsZero() {
		created = FromTime(rule.CreationTimestamp.Time)
	}
	first := max((created - delay(&rule.Spec)).floor(at.every)-at.every, at.start)
	if at.end > first && (at.isNewStart || at.isNewEnd || at.isNewID) {
		verdict.Warnings = append(verdict.Warnings, fmt.Sprintf(
			"spec.backfill: windows whose rows may be in the table already are appended again:"+
				" from [%s, %s) (written by interval runs); remove these rows first, or leave the windows out",
			first, at.end))
	}
}

func reviewForgery(verdict *Verdict, old, rule *SummaryRule, user string) {
	operation, requester := "", ""
	if old != nil {
		requester = old.Annotations[RequestedBy]
		if old.Spec.Backfill != nil {
			operation = old.Spec.Backfill.OperationID
		}
	}
	if asked := rule.Spec.Backfill; asked != nil && asked.OperationID != "" && asked.OperationID != operation {
		verdict.Errors = append(verdict.Errors, field.Forbidden(field.NewPath("spec", "backfill", "operationId"),
			"is set by the worker only; leave it out"))
	}
	if by := rule.Annotations[RequestedBy]; by != "" && by != requester && by != user {
		verdict.Errors = append(verdict.Errors, field.Forbidden(field.NewPath("metadata", "annotations").Key(RequestedBy),
			"is set by admission to the requester, "+user+"; leave it out"))
	}
}

func short(text string) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) <= 60 {
		return string(line)
	}
	return string(line[:59]) + "…"
}
