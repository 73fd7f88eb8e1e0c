// Command nethttp is the webhook as one writes it by hand in Go: net/http, encoding/json, no framework.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"summaryrule.dev/bench/webhook/judge"
)

const mostBytes = 3 << 20

type decide func(request *admissionv1.AdmissionRequest, old, rule *judge.SummaryRule) (*admissionv1.AdmissionResponse, error)

func main() {
	address := flag.String("address", "127.0.0.1:9443", "where to listen")
	certificates := flag.String("cert-dir", ".", "has tls.crt and tls.key")
	flag.Parse()
	http.HandleFunc("/mutate", serve(mutate))
	http.HandleFunc("/validate", serve(validate))
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	log.Fatal(http.ListenAndServeTLS(*address, *certificates+"/tls.crt", *certificates+"/tls.key", nil))
}

func serve(decide decide) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		var review admissionv1.AdmissionReview
		if err := json.Unmarshal(body, &review); err != nil || review.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		response, err := answer(decide, review.Request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		response.UID = review.Request.UID
		text, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: response})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	}
}

func answer(decide decide, request *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	var rule judge.SummaryRule
	if err := json.Unmarshal(request.Object.Raw, &rule); err != nil {
		return nil, err
	}
	var old *judge.SummaryRule
	if len(request.OldObject.Raw) > 0 && string(request.OldObject.Raw) != "null" {
		old = &judge.SummaryRule{}
		if err := json.Unmarshal(request.OldObject.Raw, old); err != nil {
			return nil, err
		}
	}
	return decide(request, old, &rule)
}

func mutate(request *admissionv1.AdmissionRequest, old, rule *judge.SummaryRule) (*admissionv1.AdmissionResponse, error) {
	warnings := judge.Default(old, rule, request.UserInfo.Username, judge.FromTime(time.Now()))
	changed, err := json.Marshal(rule)
	if err != nil {
		return nil, err
	}
	steps, err := jsonpatch.CreatePatch(request.Object.Raw, changed)
	if err != nil {
		return nil, err
	}
	response := &admissionv1.AdmissionResponse{Allowed: true, Warnings: warnings}
	if len(steps) == 0 {
		return response, nil
	}
	response.Patch, err = json.Marshal(steps)
	kind := admissionv1.PatchTypeJSONPatch
	response.PatchType = &kind
	response.AuditAnnotations = map[string]string{"decision": "patched"}
	return response, err
}

func validate(request *admissionv1.AdmissionRequest, old, rule *judge.SummaryRule) (*admissionv1.AdmissionResponse, error) {
	found := judge.Review(old, rule, request.UserInfo.Username, judge.FromTime(time.Now()))
	response := &admissionv1.AdmissionResponse{
		Allowed: len(found.Errors) == 0, Warnings: found.Warnings, AuditAnnotations: found.Audit,
	}
	if !response.Allowed {
		kind := schema.GroupKind{Group: judge.Group, Kind: judge.Kind}
		status := apierrors.NewInvalid(kind, request.Name, found.Errors).Status()
		response.Result = &metav1.Status{
			Status: status.Status, Code: status.Code, Reason: status.Reason, Message: status.Message, Details: status.Details,
		}
	}
	return response, nil
}
