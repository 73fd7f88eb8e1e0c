// Package judge is the webhook's decisions once more, in Go, for the two Go servers of the benchmark.
// It covers what a create or an update without a status can meet, but for the checks that read the
// tokens of a body; the harness asserts that its
// answers equal those of summaryrule/ before anything is timed.
package judge

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	RequestedBy  = "adx-mon.azure.com/backfill-requested-by"
	DefaultedEnd = "adx-mon.azure.com/backfill-defaulted-end"
	Group        = "adx-mon.azure.com"
	Kind         = "SummaryRule"
)

// GroupVersion is the API's.
var GroupVersion = schema.GroupVersion{Group: Group, Version: "v1"}

// SummaryRule is the API's object, as a Go author would type it.
type SummaryRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec `json:"spec"`
}

// Spec is the part that people write.
type Spec struct {
	Database           string              `json:"database,omitempty"`
	Name               string              `json:"name,omitempty"`
	Table              string              `json:"table,omitempty"`
	Body               string              `json:"body,omitempty"`
	Interval           string              `json:"interval,omitempty"`
	IngestionDelay     string              `json:"ingestionDelay,omitempty"`
	Criteria           map[string][]string `json:"criteria,omitempty"`
	CriteriaExpression string              `json:"criteriaExpression,omitempty"`
	Suspend            *bool               `json:"suspend,omitempty"`
	Backfill           *Backfill           `json:"backfill,omitempty"`
}

// Backfill asks for a past range.
type Backfill struct {
	Start       string `json:"start,omitempty"`
	End         string `json:"end,omitempty"`
	OperationID string `json:"operationId,omitempty"`
	RequestID   string `json:"requestId,omitempty"`
	MaxInFlight *int   `json:"maxInFlight,omitempty"`
	Suspend     *bool  `json:"suspend,omitempty"`
}

// DeepCopyObject makes it a runtime.Object.
func (r *SummaryRule) DeepCopyObject() runtime.Object { return r.DeepCopy() }

// DeepCopy copies what defaulting may change, and shares the rest.
func (r *SummaryRule) DeepCopy() *SummaryRule {
	copied := *r
	r.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	if r.Spec.Backfill != nil {
		backfill := *r.Spec.Backfill
		copied.Spec.Backfill = &backfill
	}
	return &copied
}
