package judge

import "fmt"

// Default changes the rule as /mutate does and returns the warnings.
func Default(old, rule *SummaryRule, user string, now Ticks) []string {
	var warnings []string
	if rule.Spec.IngestionDelay == "" {
		rule.Spec.IngestionDelay = "0s"
	}
	if rule.Spec.Backfill != nil {
		warnings = defaultBackfill(old, rule, now)
	}
	return nameRequester(warnings, old, rule, user)
}

func defaultBackfill(old, rule *SummaryRule, now Ticks) (warnings []string) {
	backfill := rule.Spec.Backfill
	before := ""
	if old != nil && old.Spec.Backfill != nil {
		before = old.Spec.Backfill.OperationID
	}
	if backfill.OperationID != before && backfill.OperationID != "" {
		warnings = append(warnings, "spec.backfill.operationId: is set by the worker only; put back")
	}
	backfill.OperationID = before
	every, ok := interval(&rule.Spec)
	start, isTime := ParseTime(backfill.Start)
	if !ok || !isTime {
		return warnings
	}
	if backfill.End == "" {
		end := (now - delay(&rule.Spec)).floor(every)
		backfill.End = end.String()
		warnings = append(warnings, fmt.Sprintf(
			"spec.backfill.end: not given; set to %s, the end of the last complete window", end))
		annotate(rule, DefaultedEnd, backfill.End)
	}
	end, isTime := ParseTime(backfill.End)
	if !isTime || start >= end {
		return warnings
	}
	warnings = rewrite(warnings, "start", &backfill.Start, start, start.floor(every), rule.Spec.Interval)
	return rewrite(warnings, "end", &backfill.End, end, end.ceil(every), rule.Spec.Interval)
}

func rewrite(warnings []string, name string, field *string, was, to Ticks, every string) []string {
	if *field == to.String() {
		return warnings
	}
	why := "aligned to whole windows of " + every
	if was == to {
		why = "written in UTC"
	}
	line := fmt.Sprintf("spec.backfill.%s: %s: from %s to %s", name, why, *field, to)
	*field = to.String()
	return append(warnings, line)
}

func nameRequester(warnings []string, old, rule *SummaryRule, user string) []string {
	wanted := ""
	if old != nil {
		wanted = old.Annotations[RequestedBy]
	}
	if isNewRequest(old, rule) {
		wanted = user
	}
	if written := rule.Annotations[RequestedBy]; written != wanted {
		if written != "" {
			warnings = append(warnings, "metadata.annotations["+RequestedBy+"]: is set by admission; put back")
		}
		annotate(rule, RequestedBy, wanted)
	}
	return warnings
}

func isNewRequest(old, rule *SummaryRule) bool {
	asked := rule.Spec.Backfill
	if asked == nil {
		return false
	}
	if old == nil || old.Spec.Backfill == nil {
		return true
	}
	return asked.Start != old.Spec.Backfill.Start || asked.RequestID != old.Spec.Backfill.RequestID
}

func annotate(rule *SummaryRule, name, value string) {
	if value == "" {
		delete(rule.Annotations, name)
		return
	}
	if rule.Annotations == nil {
		rule.Annotations = map[string]string{}
	}
	rule.Annotations[name] = value
}
