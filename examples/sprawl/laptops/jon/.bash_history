cd ~/repositories/deploy-agent
export OPENAI_API_KEY=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
PGPASSWORD=k7Rm-harbor-92Wq psql -h db.prod.harborlane.example -U support_agent tickets
kubectl get pods -n agents
curl -s -H "Authorization: Bearer $TOKEN" https://api.harborlane.example/health
aws sts get-caller-identity --profile agents
git push
