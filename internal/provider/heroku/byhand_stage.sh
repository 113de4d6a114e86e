# How config vars of a stage of a pipeline are written by hand; the functions of
# byhand.sh stand before this.

#= read
VARIANT=.pipelines @tool@_read @dir@ "/pipelines/$(<@dir@/pipeline)/stage/@stage@"

#= observe
#. Review apps and test runs that exist keep their own copy: each app of the stage is looked at.
@find@
VARIANT=.pipelines @tool@_read @dir@ "/pipelines/$(<@dir@/pipeline)/stage/@stage@"
VARIANT=.pipelines @tool@_all "/pipelines/$(<@dir@/pipeline)/pipeline-couplings"
jq --arg stage @stage@ '[.[] | select(.stage == $stage) | .app.id]' @tool@.json > @dir@/apps.json
mkdir -p @dir@/app
cp @dir@/names.json @dir@/app/
for app in $(jq -r '.[]' @dir@/apps.json); do
  @tool@_read @dir@/app "/apps/$app"
  if jq -e --slurpfile stage @dir@/now.json 'to_entries | any(.[]; .value != null and .value == $stage[0][.key])' @dir@/app/now.json > /dev/null; then
    @existing@
  fi
done

#= propagate
#. One `PATCH` with all names. Nothing restarts: what is made later takes the new value.
VARIANT=.pipelines @tool@_api PATCH "/pipelines/$(<@dir@/pipeline)/stage/@stage@/config-vars" @dir@/new.json

#= settle
#. There is no release to follow: the read-back is all that tells.
@grace_shell@

#= return
VARIANT=.pipelines @tool@_api PATCH "/pipelines/$(<@dir@/pipeline)/stage/@stage@/config-vars" @dir@/was.json

#= resettle
@grace_shell@

#= registered
@kept@
