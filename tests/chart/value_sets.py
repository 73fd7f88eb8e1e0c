"""Values as people write them: each set is rendered, linted, and judged by the API server."""

from tests.chart.helm import Object

CLUSTER = "https://mycluster.westeurope.kusto.windows.net"
IMAGE: Object = {"repository": "registry.example.com/team/summaryrule-operator"}
IDENTITY: Object = {"enabled": True, "clientId": "01234567-89ab-cdef-0123-456789abcdef"}
ENDPOINTS: Object = {"endpoints": {"Telemetry": CLUSTER}}

SETS: dict[str, Object] = {
    "a private registry": {
        "image": {**IMAGE, "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "kusto": ENDPOINTS,
    },
    "AKS with workload identity": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "workloadIdentity": IDENTITY,
        "webhook": {"configurationAnnotations": {"admissions.enforcer/disabled": "true"}},
        "hooks": {"tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}]},
    },
    "OpenShift": {"image": IMAGE, "kusto": ENDPOINTS, "adaptSecurityContext": "force"},
    "a proxy and a company's CA": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "caBundle": {"configMap": "company-ca", "key": "ca-bundle.pem"},
        "worker": {
            "env": {"HTTPS_PROXY": "http://proxy.example.com:3128", "NO_PROXY": "10.0.0.0/8"}
        },
        "networkPolicy": {"workerEgress": [{"ports": [{"port": 3128, "protocol": "TCP"}]}]},
    },
    "a client secret": {
        "image": IMAGE,
        "kusto": {**ENDPOINTS, "clientSecret": {"existingSecret": "kusto-login"}},
    },
    "GitOps, with objects of one's own": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "crds": {"enabled": False},
        "certificates": {"mode": "certManager"},
        "cleanup": {"enabled": False},
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ours"}},
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ .Release.Name }}-theirs'\n",
        ],
    },
    "one replica": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "webhook": {"replicas": 1},
        "worker": {"replicas": 1},
        "podDisruptionBudget": {"enabled": False},
    },
    "no NetworkPolicy": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "networkPolicy": {"enabled": False},
    },
    "EKS with the host's network": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "webhook": {
            "hostNetwork": True,
            "port": 10443,
            "dnsConfig": {"options": [{"name": "ndots"}]},
        },
    },
    "a big cluster": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "podDisruptionBudget": {"minAvailable": 2},
        "webhook": {
            "replicas": 3,
            "priorityClassName": "system-cluster-critical",
            "strategy": {"rollingUpdate": {"maxSurge": "50%"}},
            "readinessProbe": {"failureThreshold": 4},
            "deploymentAnnotations": {"example.com/owner": "telemetry"},
            "serviceAnnotations": {"example.com/scrape": "no"},
        },
        "worker": {
            "replicas": 3,
            "resources": {
                "requests": {"cpu": "1", "memory": "1Gi"},
                "limits": {"memory": "2Gi"},
            },
        },
    },
    "Prometheus in a namespace of its own": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "monitoring": {
            "serviceMonitor": {
                "enabled": True,
                "namespace": "monitoring",
                "scrapeTimeout": "10s",
                "relabelings": [{"action": "labeldrop", "regex": "pod"}],
            },
            "prometheusRule": {"enabled": True, "namespace": "monitoring"},
            "dashboard": {
                "enabled": True,
                "namespace": "monitoring",
                "annotations": {"grafana_folder": "Telemetry"},
            },
        },
    },
    "secrets and files from elsewhere": {
        "image": IMAGE,
        "kusto": ENDPOINTS,
        "worker": {
            "extraEnv": [
                {
                    "name": "AZURE_CLIENT_ID",
                    "valueFrom": {"secretKeyRef": {"name": "login", "key": "client"}},
                }
            ],
            "envFrom": [{"configMapRef": {"name": "settings", "optional": True}}],
            "extraVolumes": [{"name": "spool", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "spool", "mountPath": "/var/spool"}],
            "hostAliases": [{"ip": "10.1.2.3", "hostnames": ["kusto.internal"]}],
        },
    },
}
