// Command controllerruntime is the webhook as operators are written: controller-runtime's webhook
// server, an admission.Handler with its decoder, PatchResponseFromRaw, the metrics it always keeps.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"summaryrule.dev/bench/webhook/judge"
)

type handler struct {
	decoder admission.Decoder
	decide  func(request admission.Request, old, rule *judge.SummaryRule) admission.Response
}

// Handle decodes both objects and decides.
func (h *handler) Handle(_ context.Context, request admission.Request) admission.Response {
	rule := &judge.SummaryRule{}
	if err := h.decoder.Decode(request, rule); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	var old *judge.SummaryRule
	if request.Operation == admissionv1.Update {
		old = &judge.SummaryRule{}
		if err := h.decoder.DecodeRaw(request.OldObject, old); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
	}
	return h.decide(request, old, rule)
}

func main() {
	host := flag.String("host", "127.0.0.1", "where to listen")
	port := flag.Int("port", 9443, "where to listen")
	certificates := flag.String("cert-dir", ".", "has tls.crt and tls.key")
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseDevMode(false)))
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(judge.GroupVersion, &judge.SummaryRule{})
	decoder := admission.NewDecoder(scheme)
	server := webhook.NewServer(webhook.Options{Host: *host, Port: *port, CertDir: *certificates})
	server.Register("/mutate", &webhook.Admission{Handler: &handler{decoder, mutate}})
	server.Register("/validate", &webhook.Admission{Handler: &handler{decoder, validate}})
	server.Register("/healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	if err := server.Start(ctrl.SetupSignalHandler()); err != nil {
		ctrl.Log.Error(err, "the server ended")
		os.Exit(1)
	}
}

func mutate(request admission.Request, old, rule *judge.SummaryRule) admission.Response {
	warnings := judge.Default(old, rule, request.UserInfo.Username, judge.FromTime(time.Now()))
	changed, err := json.Marshal(rule)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	response := admission.PatchResponseFromRaw(request.Object.Raw, changed).WithWarnings(warnings...)
	if len(response.Patches) > 0 {
		response.AuditAnnotations = map[string]string{"decision": "patched"}
	}
	return response
}

func validate(request admission.Request, old, rule *judge.SummaryRule) admission.Response {
	found := judge.Review(old, rule, request.UserInfo.Username, judge.FromTime(time.Now()))
	response := admission.Allowed("")
	if len(found.Errors) > 0 {
		kind := schema.GroupKind{Group: judge.Group, Kind: judge.Kind}
		status := apierrors.NewInvalid(kind, request.Name, found.Errors).Status()
		response = admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}
	}
	response.AuditAnnotations = found.Audit
	return response.WithWarnings(found.Warnings...)
}
